import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { must } from '../../lab/processes.ts';
import { longSlice, slice } from './bench.ts';
import { Child } from './child.ts';
import { Network } from './network.ts';
import { Observer } from './observe.ts';
import { providePackages } from './packages.ts';
import { Service } from './service.ts';
import * as clients from './steps-clients.ts';
import * as load from './steps-load.ts';

// The DHCP service against other people's clients, in namespaces of its own. `main.ts [STEP...]`; one line a step,
// exit code 1 at the first failure.

const root = join(import.meta.dirname, '../../..');
await must(['make', '-s', '-C', join(root, 'native/lan')], { timeout: 180_000 });
await providePackages();

const directory = mkdtempSync(join(root, '.build/dhcp/run-'));
// The service runs as nobody.
await must(['chmod', '755', directory]);
const network = new Network();
const service = new Service(network, directory);
const chosen = new Set(process.argv.slice(2));
const wants = (name: string) => chosen.size === 0 || chosen.has(name);
const began = performance.now();

function say(line: string): void {
  console.log(`ok   ${line}`);
}

async function play(): Promise<void> {
  await network.build();
  // The first start fills the cache of compiled sources; the image brings it along.
  await service.start(slice);
  await service.stop();
  const dhcpPorts = 'udp port 67 or udp port 68';
  const file = (name: string) => join(directory, `${name}.pcap`);
  const lan = await Observer.start(network, {
    host: 'server',
    interfaceName: 'lan0',
    file: file('lan'),
    filter: dhcpPorts,
  });
  const wild = await Observer.start(network, {
    host: 'server',
    interfaceName: 'wan0',
    file: file('wild'),
    filter: 'ip or ip6',
  });
  const bench = { network, service, lan, wild, directory };
  const started = await service.start(slice);
  const probe = await service.probe();
  if (!probe.ok) throw new Error(probe.detail);
  say(
    `serves ${Math.round(started)} ms after its start, with ${service.residentMb().toFixed(1)} MB resident (${probe.detail})`,
  );
  if (wants('clients')) await clients.foreignClients(bench, say);
  if (wants('ipv6')) await clients.ipv6(bench, say);
  if (wants('memory')) await memory();
  if (wants('conflict')) await clients.conflict(bench, say);
  if (wants('wild')) await clients.wildSide(bench, say);
  await lan.stop();
  await service.configure(longSlice);
  if (wants('crowd')) await load.crowd(bench, say);
  if (wants('killed')) await load.killed(bench, 12, say);
  if (wants('mutants')) await load.mutants(bench, 100_000, say);
  if (wants('perfdhcp')) await load.perfdhcp(bench, say);
  if (wants('wild')) await clients.wildSide(bench, say);
  await wild.stop();
  await service.stop();
  say(`stops with 0; ${((performance.now() - began) / 1000).toFixed(0)} s in all`);
}

/** At rest, after serving a household. */
async function memory(): Promise<void> {
  const limitMb = 65;
  const resident = service.residentMb();
  if (resident > limitMb) throw new Error(`${resident} MB resident, ${limitMb} allowed`);
  say(`memory: ${resident.toFixed(1)} MB resident`);
}

try {
  await play();
} catch (error) {
  console.log(`FAIL ${error instanceof Error ? error.message : error}`);
  console.log(service.log.split('\n').slice(-6).join('\n'));
  process.exitCode = 1;
} finally {
  Child.killAll();
  await service.kill();
  await network.remove();
  if (process.exitCode !== 1) rmSync(directory, { recursive: true });
  process.exit();
}
