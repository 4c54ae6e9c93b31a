/**
 * Writes a signed bundle into the idle slot and puts it on trial. Usage: update.ts FILE|URL [--no-restart]
 * [--release NAME] (as the portal calls it).
 * Runs beside the tunnel with the least priority; can be cut anywhere and started again: chunks that are in the slot already
 * are neither fetched nor written. While the running version is on trial nothing is done. Exit codes: 0 done, 1 refused (the reason is on stdout and in the reports), 2 try again.
 */
import { createPublicKey } from 'node:crypto';
import { openSync, readdirSync, readFileSync, readSync } from 'node:fs';
import { setPriority } from 'node:os';
import { parseArgs } from 'node:util';
import { beforeWriting, mayWrite, onTrial, otherSlot } from './boot-state.ts';
import {
  admit,
  chunksOf,
  decodeFirstLine,
  decodeManifest,
  digestOf,
  firstLineOctets,
  type Manifest,
  Refusal,
  type Release,
} from './bundle.ts';
import { mustRun, partition, readAt, readBootState, runningSlot, writeAt, writeBootState } from './disk.ts';
import { concludeUpdate, writeUpdate } from './release.ts';
import { keepReport } from './report.ts';

const keyFolder = '/usr/lib/moat/update-keys';
const fetchTimeoutMs = 60_000;
/** Between chunks, so that a slow disk is not kept from its other work. */
const breathMs = 5;

type Source = (offset: number, octets: number) => Promise<Uint8Array>;

function sourceOf(name: string): Source {
  if (/^https?:/.test(name)) return (offset, octets) => fetchRange(name, offset, octets);
  const file = openSync(name, 'r');
  return async (offset, octets) => {
    const buffer = Buffer.alloc(octets);
    return buffer.subarray(0, readSync(file, buffer, 0, octets, offset));
  };
}

async function fetchRange(url: string, offset: number, octets: number): Promise<Uint8Array> {
  const headers = { range: `bytes=${offset}-${offset + octets - 1}` };
  const response = await fetch(url, { headers, signal: AbortSignal.timeout(fetchTimeoutMs) });
  if (response.status === 416) return new Uint8Array(0);
  if (response.status !== 206) throw new Error(`${url} answers ${response.status} to a range`);
  return new Uint8Array(await response.arrayBuffer());
}

/** @throws {Refusal} for a bundle that this box must not run. */
async function readHead(source: Source): Promise<{ manifest: Manifest; end: number }> {
  const { from, to, signature } = decodeFirstLine(await source(0, firstLineOctets));
  const keys = readdirSync(keyFolder).map((name) => createPublicKey(readFileSync(`${keyFolder}/${name}`)));
  const manifest = decodeManifest(await source(from, to - from), signature, keys);
  admit(manifest, JSON.parse(readFileSync('/usr/lib/moat/release.json', 'utf8')) as Release);
  return { manifest, end: to };
}

/** @returns octets that had to be written. @throws {Refusal} when the bundle does not hold what its manifest says. */
async function writeSlot(source: Source, head: { manifest: Manifest; end: number }): Promise<number> {
  const idle = otherSlot(runningSlot());
  const devices = { boot: partition(`moat-boot-${idle}`), root: partition(`moat-root-${idle}`) };
  writeBootState(beforeWriting(readBootState(), idle));
  let written = 0;
  for (const { part, hash, slotOffset, bundleOffset, octets } of chunksOf(head.manifest, head.end)) {
    if (digestOf(readAt(devices[part], slotOffset, octets)) === hash) continue;
    const bytes = await source(bundleOffset, octets);
    if (bytes.length < octets)
      throw new Refusal('truncated', `the bundle ends after ${bundleOffset + bytes.length} octets`);
    if (digestOf(bytes) !== hash) throw new Refusal('content', `the bundle is damaged at ${bundleOffset}`);
    writeAt(devices[part], slotOffset, bytes);
    written += octets;
    await new Promise((done) => setTimeout(done, breathMs));
  }
  writeBootState(onTrial(readBootState(), idle));
  return written;
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    options: { 'no-restart': { type: 'boolean', default: false }, release: { type: 'string' } },
    allowPositionals: true,
  });
  const [name] = positionals;
  if (name === undefined) throw new Error('usage: update.ts FILE|URL [--no-restart] [--release NAME]');
  setPriority(19);
  if (!mayWrite(readBootState(), runningSlot())) throw new Error('the running version is on trial itself');
  if (values.release !== undefined) writeUpdate({ release: values.release, state: 'downloading', problem: '' });
  const source = sourceOf(name);
  try {
    const head = await readHead(source);
    const { version, serial } = head.manifest;
    console.log(`moat: update to ${version} (${serial}) into slot ${otherSlot(runningSlot())}`);
    const written = await writeSlot(source, head);
    keepReport('update', { result: 'on trial', version, serial, written });
    console.log(`moat: update written, ${written} octets, on trial at the next start`);
    if (!values['no-restart']) mustRun('systemctl', ['reboot']);
    return 0;
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    keepReport('update', { result: 'refused', reason: error.reason, sentence: error.message });
    // A box that was flashed with what the portal wants has nothing to do.
    if (error.reason === 'same') concludeUpdate('installed', '');
    else concludeUpdate('failed', error.message);
    console.log(`moat: update refused (${error.reason}): ${error.message}`);
    return 1;
  }
}

try {
  process.exitCode = await main();
} catch (error) {
  console.log(`moat: update stopped: ${(error as Error).message}`);
  process.exitCode = 2;
}
