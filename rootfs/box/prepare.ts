/**
 * Runs once at every start, before anything else of moat: mounts /var, brings back what must not be lost, reads the moat.toml
 * of the FAT partition, and gives the two ports their sides. Never fails for what a disk or a person did: it reports.
 */
import { createPrivateKey, generateKeyPairSync } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { ed25519PublicText } from '../../appliance/config/files.ts';
import { mountData } from './data-partition.ts';
import { mustRun, partition, readText, readVault, run, writeVault } from './disk.ts';
import { onConfigPartition } from './fat.ts';
import { keepPortal } from './portal-copy.ts';
import { portalFirewall, portalNetworkFiles, resolverFile } from './portal-network.ts';
import type { PortalSeed } from './portal-seed.ts';
import {
  addressesWild,
  assignSides,
  type NetworkFacts,
  networkFiles,
  type Port,
  renames,
  type Sides,
} from './ports.ts';
import { writeReport } from './report.ts';
import { forgetVault, resetDone, resetMark } from './reset.ts';
import { enrollFile, keyFile, parseSeed, readToken, type Seed, tokenFile } from './seed.ts';
import { runningSide } from './side.ts';

const configFolder = '/run/moat/config';
const side = runningSide();
const portsTimeoutMs = 30_000;
const portsQuietMs = 3000;
const portsPollMs = 200;

function main(): void {
  const edited = readFat();
  if (edited.reset) forgetVault();
  const data = mountData(
    attempt(() => partition('moat-data')),
    edited.reset,
  );
  say(`data partition: ${data.result}${data.result === 'clean' ? '' : ` (${data.detail})`}`);
  const { vault, damaged } = readVault();
  const portal = keepPortal(vault.portal);
  // The portal's key is renewed from time to time: the one that it knows goes first.
  const identityKey = portal?.['identity.key'] ?? vault.identityKey ?? newKey();
  const { seed, text, problem } = chooseSeed(edited, vault.lastGood);
  if (problem !== null) say(`moat.toml: ${problem.replaceAll('\n', '; ')}`);
  const listed = awaitPorts(vault.ports);
  const ports = assignSides(listed, vault.ports);
  writeVault({ ...vault, identityKey, ports: ports ?? vault.ports, portal });
  if (edited.reset) resetDone();
  writeConfiguration(seed, text, identityKey);
  if (ports) for (const args of renames(listed, ports)) run('ip', args);
  else say(`two network ports are needed, this machine has ${listed.length}`);
  const config = attempt(() => JSON.parse(portal?.['moat.json'] ?? 'null') as unknown) ?? seed?.config;
  writeNetwork(seed?.portal ?? null, { lanAddresses: seed?.lanAddresses ?? [], wildIsTaken: addressesWild(config) });
  const publicKey = ed25519PublicText(createPrivateKey(identityKey));
  say(`public key ${publicKey}`);
  showPublicKey(publicKey, edited.shown);
  showProblem(problem, edited.shown);
  const wasNew = vault.identityKey === null;
  writeReport({ data, damagedCopies: wasNew ? [] : damaged, madeKey: wasNew, configuration: problem });
}

function say(sentence: string): void {
  console.log(`moat: ${sentence}`);
}

function attempt<T>(action: () => T): T | null {
  try {
    return action();
  } catch {
    return null;
  }
}

function newKey(): string {
  return generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }) as string;
}

interface Edited {
  /** moat.toml, null where the partition or the file cannot be read. */
  readonly text: string | null;
  /** How to enrol. */
  readonly token: string | null;
  /** Forget everything. */
  readonly reset: boolean;
  /** What an earlier start has written there for people. */
  readonly shown: { readonly publicKey: string | null; readonly problem: string | null };
}

function readFat(): Edited {
  const found = onConfigPartition('ro', (folder) => ({
    text: readText(`${folder}/moat.toml`),
    token: readText(`${folder}/${enrollFile}`),
    reset: existsSync(`${folder}/${resetMark}`),
    shown: {
      publicKey: readText(`${folder}/public-key.txt`)?.trim() ?? null,
      problem: readText(`${folder}/problem.txt`),
    },
  }));
  return found ?? { text: null, token: null, reset: false, shown: { publicKey: null, problem: null } };
}

/** A token in a file goes before moat.toml; what a person wrote before what worked last, unless it cannot be understood. */
function chooseSeed(edited: Edited, lastGood: string | null) {
  if (edited.token !== null && side === 'home') {
    const token = attempt(() => readToken(edited.token));
    if (token !== null) return { ...enrolling(edited.text, token), problem: null };
    say(`${enrollFile} holds no enrolment token`);
  }
  const problem = edited.text === null ? 'cannot be read on the FAT partition' : seedProblem(edited.text);
  const text = problem === null ? edited.text : lastGood;
  return { text, problem, seed: text === null ? null : attempt(() => parseSeed(text, side)) };
}

/** Of moat.toml only `[box]` counts then. */
function enrolling(text: string | null, token: string): { seed: Seed; text: string | null } {
  const box = attempt(() => parseSeed(text ?? ''))?.box ?? parseSeed('').box;
  return { seed: { token, config: null, portal: null, box, lanAddresses: [] }, text };
}

function seedProblem(text: string): string | null {
  try {
    parseSeed(text, side);
    return null;
  } catch (error) {
    return (error as Error).message;
  }
}

function writeConfiguration(seed: Seed | null, text: string | null, identityKey: string): void {
  rmSync(configFolder, { recursive: true, force: true });
  mkdirSync(configFolder, { recursive: true, mode: 0o700 });
  const secret = { mode: 0o600 };
  // Without a configuration `moat run` waits, and enrols where there is a token.
  writeFileSync(`${configFolder}/${keyFile}`, identityKey, secret);
  if (seed === null) return;
  if (seed.token !== null) writeFileSync(`${configFolder}/${tokenFile}`, seed.token, secret);
  if (seed.config !== null) writeFileSync(`${configFolder}/moat.json`, JSON.stringify(seed.config), secret);
  writeFileSync(`${configFolder}/box.json`, JSON.stringify(seed.box), secret);
  if (text !== null) writeFileSync(`${configFolder}/source.toml`, text, secret);
  if (seed.portal !== null) writePortal(seed.portal, seed.box.sshKeys.length > 0);
  if (seed.box.console) writeFileSync(`${configFolder}/console`, '');
  if (seed.box.sshKeys.length > 0) {
    mkdirSync('/run/moat/ssh', { recursive: true, mode: 0o700 });
    writeFileSync('/run/moat/ssh/authorized_keys', `${seed.box.sshKeys.join('\n')}\n`, secret);
  }
}

/** For the units of a portal, which come later. */
function writePortal(portal: PortalSeed, mayLogIn: boolean): void {
  writeFileSync(`${configFolder}/portal.json`, JSON.stringify(portal), { mode: 0o600 });
  writeFileSync('/run/moat/portal.nft', portalFirewall(portal, mayLogIn));
  writeFileSync('/run/moat/resolv.conf', resolverFile(portal));
}

/** Ethernet ports that are hardware: what has a device behind it. */
function listPorts(): Port[] {
  return readdirSync('/sys/class/net').flatMap((name) => {
    const device = attempt(() => readlinkSync(`/sys/class/net/${name}/device`));
    const address = readText(`/sys/class/net/${name}/address`)?.trim();
    const path = attempt(() => readlinkSync(`/sys/class/net/${name}`));
    // ARPHRD_ETHER
    if (device === null || !address || path === null || readText(`/sys/class/net/${name}/type`)?.trim() !== '1')
      return [];
    return [{ name, address, path: path.replace(/\/net\/[^/]*$/, '') }];
  });
}

/**
 * Drivers load while this runs. Known ports are waited for by address; a box that has none yet waits until no more
 * appear for a while, because the first by where it sits is the wild side.
 */
function awaitPorts(remembered: Sides | null): Port[] {
  let found = listPorts();
  let quietSince = performance.now();
  const deadline = quietSince + portsTimeoutMs;
  while (performance.now() < deadline) {
    const known =
      remembered && [remembered.wild, remembered.work].every((at) => found.some(({ address }) => address === at));
    if (known || (found.length >= 2 && performance.now() - quietSince > portsQuietMs)) break;
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, portsPollMs);
    const now = listPorts();
    if (now.length !== found.length) quietSince = performance.now();
    found = now;
  }
  return found;
}

function writeNetwork(portal: PortalSeed | null, facts: NetworkFacts): void {
  mkdirSync('/run/systemd/network', { recursive: true });
  const files = portal === null ? networkFiles(facts) : portalNetworkFiles(portal);
  for (const [name, text] of Object.entries(files)) writeFileSync(`/run/systemd/network/${name}`, text);
}

/** The administrator of the portal needs it: written where the person who flashed can read it, and only when it changed. */
function showPublicKey(publicKey: string, shown: Edited['shown']): void {
  writeFileSync('/run/moat/public-key', `${publicKey}\n`);
  if (shown.publicKey === publicKey) return;
  attempt(() => onConfigPartition('rw', (folder) => writeFileSync(`${folder}/public-key.txt`, `${publicKey}\n`)));
}

/** There is no screen: what is wrong with moat.toml stands beside it, for as long as it is wrong. */
function showProblem(problem: string | null, shown: Edited['shown']): void {
  const wanted = problem === null ? null : `${problem}\n`;
  if (shown.problem === wanted) return;
  const write = (folder: string) =>
    wanted === null ? rmSync(`${folder}/problem.txt`, { force: true }) : writeFileSync(`${folder}/problem.txt`, wanted);
  attempt(() => onConfigPartition('rw', write));
}

mkdirSync('/run/moat', { recursive: true });
try {
  main();
} catch (error) {
  say(`prepare: ${(error as Error).stack}`);
  // Without /var nothing else starts; everything else can be mended from a running box.
  if (run('mountpoint', ['-q', '/var']).exitCode !== 0)
    mustRun('mount', ['-t', 'tmpfs', '-o', 'size=64m', 'var', '/var']);
}
