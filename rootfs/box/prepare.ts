/**
 * Runs once at every start, before anything else of moat: mounts /var, brings back what must not be lost, reads the moat.toml
 * of the FAT partition, and gives the two ports their sides. Never fails for what a disk or a person did: it reports.
 */
import { createPrivateKey, generateKeyPairSync } from 'node:crypto';
import { mkdirSync, readdirSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { ed25519PublicText } from '../../appliance/config/files.ts';
import { mountData } from './data-partition.ts';
import { mustRun, partition, readText, readVault, run, writeVault } from './disk.ts';
import { assignSides, networkFiles, type Port, renames, type Sides } from './ports.ts';
import { writeReport } from './report.ts';
import { keyFile, parseSeed, type Seed } from './seed.ts';

const configFolder = '/run/moat/config';
const fat = '/run/moat/fat';
const portsTimeoutMs = 30_000;
const portsQuietMs = 3000;
const portsPollMs = 200;

function main(): void {
  const data = mountData(attempt(() => partition('moat-data')));
  say(`data partition: ${data.result}${data.result === 'clean' ? '' : ` (${data.detail})`}`);
  const { vault, damaged } = readVault();
  const identityKey = vault.identityKey ?? newKey();
  const edited = readFat();
  const { seed, text, problem } = chooseSeed(edited, vault.lastGood);
  if (problem !== null) say(`moat.toml: ${problem.replaceAll('\n', '; ')}`);
  const listed = awaitPorts(vault.ports);
  const ports = assignSides(listed, vault.ports);
  writeVault({ ...vault, identityKey, ports: ports ?? vault.ports });
  writeConfiguration(seed, text, identityKey);
  if (ports) for (const args of renames(listed, ports)) run('ip', args);
  else say(`two network ports are needed, this machine has ${listed.length}`);
  writeNetwork(seed?.lanAddresses ?? []);
  const publicKey = ed25519PublicText(createPrivateKey(identityKey));
  say(`public key ${publicKey}`);
  showPublicKey(publicKey);
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

/** The text of moat.toml, or null where the partition or the file cannot be read. */
function readFat(): string | null {
  mkdirSync(fat, { recursive: true });
  const device = attempt(() => partition('moat-config'));
  if (device === null || run('mount', ['-t', 'vfat', '-o', 'ro,umask=077', device, fat]).exitCode !== 0) return null;
  const text = readText(`${fat}/moat.toml`);
  run('umount', [fat]);
  return text;
}

/** What a person wrote goes before what worked last, unless it cannot be understood. */
function chooseSeed(edited: string | null, lastGood: string | null) {
  const problem = edited === null ? 'cannot be read on the FAT partition' : seedProblem(edited);
  const text = problem === null ? edited : lastGood;
  return { text, problem, seed: text === null ? null : attempt(() => parseSeed(text)) };
}

function seedProblem(text: string): string | null {
  try {
    parseSeed(text);
    return null;
  } catch (error) {
    return (error as Error).message;
  }
}

function writeConfiguration(seed: Seed | null, text: string | null, identityKey: string): void {
  rmSync(configFolder, { recursive: true, force: true });
  mkdirSync(configFolder, { recursive: true, mode: 0o700 });
  if (seed === null || text === null) return;
  const secret = { mode: 0o600 };
  writeFileSync(`${configFolder}/${keyFile}`, identityKey, secret);
  writeFileSync(`${configFolder}/moat.json`, JSON.stringify(seed.config), secret);
  writeFileSync(`${configFolder}/box.json`, JSON.stringify(seed.box), secret);
  writeFileSync(`${configFolder}/source.toml`, text, secret);
  if (seed.box.console) writeFileSync(`${configFolder}/console`, '');
  if (seed.box.sshKeys.length > 0) {
    mkdirSync('/run/moat/ssh', { recursive: true, mode: 0o700 });
    writeFileSync('/run/moat/ssh/authorized_keys', `${seed.box.sshKeys.join('\n')}\n`, secret);
  }
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

function writeNetwork(lanAddresses: readonly string[]): void {
  mkdirSync('/run/systemd/network', { recursive: true });
  for (const [name, text] of Object.entries(networkFiles(lanAddresses)))
    writeFileSync(`/run/systemd/network/${name}`, text);
}

/** The administrator of the portal needs it: written where the person who flashed can read it, and only when it changed. */
function showPublicKey(publicKey: string): void {
  const device = attempt(() => partition('moat-config'));
  if (device === null) return;
  run('fsck.fat', ['-a', device]);
  if (run('mount', ['-t', 'vfat', '-o', 'ro,umask=077', device, fat]).exitCode !== 0) return;
  const shown = readText(`${fat}/public-key.txt`)?.trim();
  if (shown !== publicKey && run('mount', ['-o', 'remount,rw', fat]).exitCode === 0) {
    attempt(() => writeFileSync(`${fat}/public-key.txt`, `${publicKey}\n`));
  }
  run('umount', [fat]);
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
