/**
 * `node test/lab/load/main.ts [--homes N] [--at-once N] [--mlkem] [--flood PER_SECOND]`: a real portal (`moat run`, data plane, routes) in a
 * lab host, boxes in one process in another. Prints what it measured a line each.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { buildAddon, Moat, type MoatConfig } from '../moat.ts';
import { sleep } from '../processes.ts';
import { cleanUpOnSignals } from '../signals.ts';
import { World } from '../world.ts';
import { corpNetwork, nameOf, networkOf, pemOf, portalId, publicKeyOf, seedOf } from './boxes.ts';
import { startBox, underFlood } from './flooded.ts';

const { values } = parseArgs({
  options: {
    homes: { type: 'string', default: '10000' },
    'at-once': { type: 'string', default: '200' },
    mlkem: { type: 'boolean', default: false },
    flood: { type: 'string', default: '0' },
  },
});
const homes = Number(values.homes);
const atOnce = Number(values['at-once']);
const floodPerSecond = Number(values.flood);
/** Of boxes that connect, one after the other, while the flood lasts. */
const knownBoxes = 20;
const ticksPerSecond = 100;

const callersScript = join(import.meta.dirname, 'callers.ts');

function portalConfig(lab: World): MoatConfig {
  const privateKeyFile = join(lab.temporary, 'portal.key');
  writeFileSync(privateKeyFile, pemOf(seedOf(portalId)), { mode: 0o600 });
  const additionalKeyExchanges = ['mlkem768', 'none'];
  return {
    role: 'portal',
    name: 'portal',
    identity: { id: portalId, privateKeyFile },
    tunnel: { networks: [corpNetwork], sourceAddresses: ['10.1.0.1'] },
    peers: Array.from({ length: homes + knownBoxes + 1 }, (_, box) => ({
      name: nameOf(box),
      id: nameOf(box),
      networks: [networkOf(box)],
      publicKey: Buffer.from(publicKeyOf(seedOf(nameOf(box)))).toString('base64'),
      ike: { additionalKeyExchanges },
    })),
  };
}

interface Called {
  readonly perSecond: number;
  readonly seconds: number;
  readonly upAfter: readonly number[];
  readonly median: number;
  readonly p99: number;
  readonly longest: number;
  readonly failures: number;
  readonly retransmitted: number;
  readonly cpuSeconds: number;
}

async function call(lab: World, from: number, count: number, boxesAtOnce: number): Promise<Called> {
  const numbers = [from, count, boxesAtOnce].map(String);
  const ends = [lab.addresses.portal.v4, lab.addresses.moatDirect.v4];
  const words = [process.execPath, callersScript, ...numbers, ...ends, ...(values.mlkem ? ['mlkem'] : [])];
  return JSON.parse(await lab.moat.must(words, { timeout: 280_000 })) as Called;
}

/** Its process, once the data plane is open. Not by the status, which takes its time with so many boxes on a busy machine. */
async function tunnelOf(moat: Moat): Promise<number> {
  for (let tries = 0; tries < 1200 && !moat.log.includes('"configured"'); tries += 1) await sleep(100);
  await sleep(3000);
  const children = readFileSync(`/proc/${moat.process.id.pid}/task/${moat.process.id.pid}/children`, 'latin1');
  const isTunnel = (pid: string) => readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes('tunnel/main');
  const found = children.trim().split(' ').find(isTunnel);
  if (found === undefined) throw new Error(`there is no tunnel process (log: ${moat.process.log})`);
  return Number(found);
}

interface Usage {
  readonly cpuSeconds: number;
  readonly residentMb: number;
}

function usageOf(pid: number): Usage {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1]?.split(' ') ?? [];
  const status = readFileSync(`/proc/${pid}/status`, 'latin1');
  return {
    cpuSeconds: (Number(stat[11]) + Number(stat[12])) / ticksPerSecond,
    residentMb: Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024,
  };
}

/** Boxes that have not called before, one after the other. */
async function connectKnown(lab: World, pid: number): Promise<string> {
  const [before, began] = [usageOf(pid), performance.now()];
  const called = await call(lab, homes, knownBoxes, 1);
  const cores = ((usageOf(pid).cpuSeconds - before.cpuSeconds) * 1000) / (performance.now() - began);
  const [median, longest] = [called.median, called.longest].map((seconds) => (seconds * 1000).toFixed(0));
  return `${knownBoxes} known boxes connect one after the other, median ${median} ms, longest ${longest} ms, ${called.retransmitted} retransmissions, ${called.failures} failures; the tunnel takes ${cores.toFixed(2)} cores`;
}

async function main(lab: World): Promise<void> {
  await buildAddon();
  const measures = join(lab.temporary, 'measures.json');
  const watched = join(import.meta.dirname, 'watched.ts');
  const spoil = `export NODE_OPTIONS="--import=${watched}" MOAT_LOAD_MEASURES=${measures}`;
  const moat = await Moat.start(lab.portal, { config: portalConfig(lab), spoil });
  const pid = await tunnelOf(moat);
  const before = usageOf(pid);
  console.log(`${homes} boxes configured: ${before.residentMb.toFixed(0)} MB resident`);
  if (homes > 0) {
    const called = await call(lab, 0, homes, atOnce);
    const after = usageOf(pid);
    const whole = called.upAfter.slice(1, -1);
    console.log(
      `${homes} tunnels${values.mlkem ? ' with ML-KEM-768' : ''} in ${called.seconds.toFixed(1)} s: ${called.perSecond.toFixed(0)}/s, slowest second ${Math.min(...whole)}; portal ${(((after.cpuSeconds - before.cpuSeconds) * 1000) / homes).toFixed(2)} ms and callers ${((called.cpuSeconds * 1000) / homes).toFixed(2)} ms of CPU each; ${called.retransmitted} retransmissions, ${called.failures} failures`,
    );
    await sleep(3000);
    console.log(`${homes} IKE SAs: ${usageOf(pid).residentMb.toFixed(0)} MB resident`);
    const began = performance.now();
    const said = await moat.tunnel().then(
      ({ peers }) => `${peers.filter(({ state }) => state === 'up').length} up`,
      (error: Error) => error.message,
    );
    console.log(`status: ${said}, after ${(performance.now() - began).toFixed(0)} ms`);
  }
  if (floodPerSecond > 0) {
    const box = await startBox(lab, homes + knownBoxes);
    const connect = () => connectKnown(lab, pid);
    await underFlood(lab, { portal: moat, box, measures, perSecond: floodPerSecond, connect });
    await box.stop();
  }
  await moat.stop();
}

cleanUpOnSignals();
const lab = await World.up({ name: 'load', homes: 1 });
try {
  await main(lab);
} finally {
  await lab.down();
}
