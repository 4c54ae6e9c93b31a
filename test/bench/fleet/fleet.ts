/**
 * A fleet of ten thousand: one line per step with its value. Usage: fleet.ts [--quick] [devices] [seconds of steady load]
 */
import { fork, spawn } from 'node:child_process';
import { createPrivateKey, randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { openDatabase } from '../../../provisioning/db/database.ts';
import { type ChangeRequest, change } from '../../../provisioning/facts/change.ts';
import { setRecord } from '../../../provisioning/facts/fleet.ts';
import { fleetPage, fleetSummary } from '../../../provisioning/fleet/page.ts';
import { makeKeys, publicText } from '../../../provisioning/keys/files.ts';
import { firstFacts, request } from '../../../provisioning/testing/facts.ts';
import { importCsv } from '../../../provisioning/transfer/import.ts';

const words = process.argv.slice(2).filter((word) => word !== '--quick');
const quick = process.argv.includes('--quick');
const [devicesText = quick ? '1000' : '10000', secondsText = quick ? '10' : '60'] = words;
const devices = Number(devicesText);
const steadySeconds = Number(secondsText);
const folder = mkdtempSync(join(tmpdir(), 'moat-fleet-'));
const address = `sqlite:${join(folder, 'moat.db')}`;
const ticksPerSecond = 100;
const pkcs8 = Buffer.from('302e020100300506032b657004220420', 'hex');

function step(name: string, value: string, ok: boolean): void {
  console.log(`${ok ? 'ok  ' : 'FAIL'} ${name.padEnd(62)} ${value}`);
  if (!ok) process.exitCode = 1;
}

/** `cpu`: processor seconds of this process, which a busy machine does not stretch. */
async function timed<T>(work: () => Promise<T>): Promise<{ seconds: number; cpu: number; result: T }> {
  const from = performance.now();
  const used = process.cpuUsage();
  const result = await work();
  const { user, system } = process.cpuUsage(used);
  return { seconds: (performance.now() - from) / 1000, cpu: (user + system) / 1e6, result };
}

const seeds = Array.from({ length: devices }, () => randomBytes(32).toString('base64'));
const publicKeys = seeds.map((seed) =>
  publicText(
    createPrivateKey({ key: Buffer.concat([pkcs8, Buffer.from(seed, 'base64')]), format: 'der', type: 'pkcs8' }),
  ),
);
makeKeys(folder, 'portal');
const database = await openDatabase(address);
await firstFacts(database);
const now = () => ({ ...request, now: Date.now() }) satisfies ChangeRequest;

const lines = publicKeys.map((key, number) => `acme,home-${number},${key}`);
const csv = ['customer,device,publicKey', ...lines].join('\n');
const imported = await timed(() => change(database, now(), (edit) => importCsv(edit, csv, { existing: 'refuse' })));
step(
  `${devices} devices imported from CSV, addresses given, all compiled`,
  `${imported.seconds.toFixed(1)} s (processor: ${imported.cpu.toFixed(1)} s)`,
  imported.cpu < 60,
);

await database.write(async (tx) => {
  await tx.updateTable('keys').set({ state: 'active' }).execute();
  await tx.updateTable('devices').set({ state: 'enrolled' }).execute();
});
const all = await timed(() =>
  change(database, now(), (edit) => setRecord(edit, 'portal', 'portal', { networks: ['10.1.0.0/16', '10.2.0.0/16'] })),
);
const compiled = all.result.configurations.length;
step(
  'all configurations compiled (a change of the portal)',
  `${all.seconds.toFixed(1)} s for ${compiled} (processor: ${all.cpu.toFixed(1)} s)`,
  all.cpu < 60 && compiled === devices,
);
const one = await timed(() =>
  change(database, now(), (edit) => setRecord(edit, 'device', 'home-7', { settings: { tunnel: { mtu: 1400 } } })),
);
step(
  'one change compiles one',
  `${(one.seconds * 1000).toFixed(0)} ms for ${one.result.configurations.length}`,
  one.result.configurations.length === 1,
);

writeFileSync(
  join(folder, 'portal.toml'),
  `name = "portal"\n[deviceApi]\nlisten = "127.0.0.1"\nport = 0\n[operatorApi]\nport = 0\n[metrics]\nport = 0\n`,
);
const command = join(import.meta.dirname, '../../../provisioning/bin/portal');
const portal = spawn(command, ['--dir', folder, 'run'], { stdio: ['ignore', 'pipe', 'inherit'] });
const boxes = fork(join(import.meta.dirname, 'boxes.ts'), [], { stdio: 'inherit' });
process.on('exit', () => {
  portal.kill('SIGKILL');
  boxes.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});
const port = await new Promise<number>((resolve) => {
  portal.stdout.on('data', (chunk: Buffer) => {
    const found = /"devicePort":(\d+)/.exec(chunk.toString());
    if (found) resolve(Number(found[1]));
  });
});

let counts = { ready: 0, polls: 0, reports: 0, hellos: 0, wakes: 0, failures: 0, changed: 0, lastChangedAt: 0 };
boxes.on('message', (message) => {
  counts = message as typeof counts;
});
boxes.send({ port, seeds });
const ramp = await timed(async () => {
  for (let waited = 0; counts.ready < devices && waited < 600; waited += 1) await sleep(1000);
});
step('boxes with their configuration', `${counts.ready} in ${ramp.seconds.toFixed(0)} s`, counts.ready === devices);
await sleep(5000);

function processorSeconds(): number {
  const fields = readFileSync(`/proc/${portal.pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
}
function residentMegabytes(name: 'VmRSS' | 'VmHWM'): number {
  const status = readFileSync(`/proc/${portal.pid}/status`, 'utf8');
  return Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)?.[1] ?? 0) / 1024;
}
const before = { ...counts, cpu: processorSeconds() };
await sleep(steadySeconds * 1000);
const cores = (processorSeconds() - before.cpu) / steadySeconds;
const perSecond = (name: 'reports' | 'hellos') => ((counts[name] - before[name]) / steadySeconds).toFixed(0);
step(
  `${devices} boxes asking for news every 20 s, reporting every minute`,
  `${cores.toFixed(2)} cores at ${perSecond('hellos')} hellos/s and ${perSecond('reports')} reports/s`,
  cores < 1,
);
step(
  'their portal, resident',
  `${residentMegabytes('VmRSS').toFixed(0)} MB (most: ${residentMegabytes('VmHWM').toFixed(0)})`,
  residentMegabytes('VmRSS') < 512,
);
const failed = counts.failures - before.failures;
step('calls that failed meanwhile', `${failed} (${before.failures} while all came at once)`, failed === 0);

const page = await timed(async () => {
  const at = Date.now();
  await fleetSummary(database.queries, at);
  return fleetPage(database.queries, { now: at, limit: 100, search: '', health: '', after: '' });
});
step('the fleet page, read', `${(page.seconds * 1000).toFixed(0)} ms`, page.seconds < 1);
const found = await timed(() =>
  fleetPage(database.queries, { now: Date.now(), limit: 100, search: 'home-9999', health: 'up', after: '' }),
);
step('one box found among them', `${(found.seconds * 1000).toFixed(0)} ms`, found.seconds < 1);

const changedBefore = counts.changed;
const at = Date.now();
await change(database, now(), (edit) => setRecord(edit, 'device', 'home-9', { settings: { tunnel: { mtu: 1400 } } }));
for (let waited = 0; counts.changed === changedBefore && waited < 100; waited += 1) await sleep(50);
const exactly = counts.changed - changedBefore;
step(
  'a change, at its box and at no other',
  `${counts.lastChangedAt - at} ms, ${exactly} box`,
  exactly === 1 && counts.lastChangedAt - at < 1000,
);
await database.close();
process.exit();
