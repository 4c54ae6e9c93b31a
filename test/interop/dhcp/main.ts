import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { must } from '../../lab/processes.ts';
import { type Measured, playSteps, type RingStep, wantedSteps } from '../ring.ts';
import { type Bench, longSlice, slice } from './bench.ts';
import { Child } from './child.ts';
import { Network } from './network.ts';
import { Observer } from './observe.ts';
import { providePackages } from './packages.ts';
import { Service } from './service.ts';
import * as clients from './steps-clients.ts';
import * as load from './steps-load.ts';

// The DHCP service against other people's clients, in namespaces of its own.

let bench: Bench;
let ready = '';
const mutantCount = 100_000;
const kills = 12;
const residentLimitMb = 65;

type Play = (bench: Bench, say: (line: string) => void) => Promise<void>;

/** A step says several things; `leaseSeconds` of the load outlive it. */
function step(name: string, play: Play, how: 'short leases' | 'long leases' = 'short leases'): RingStep {
  return {
    name,
    play: async (): Promise<Measured> => {
      const lines: string[] = [];
      await bench.service.configure(how === 'short leases' ? slice : longSlice);
      await play(bench, (line) => lines.push(line));
      return lines.join('\n      ');
    },
  };
}

const steps: readonly RingStep[] = [
  { name: 'start', play: async () => ready },
  step('clients', clients.foreignClients),
  step('ipv6', clients.ipv6),
  step('delegated', clients.delegated),
  { name: 'memory', play: async () => memory() },
  step('conflict', clients.conflict),
  step('wild', clients.wildSide),
  step('crowd', load.crowd, 'long leases'),
  step('killed', (all, say) => load.killed(all, kills, say), 'long leases'),
  step('mutants', (all, say) => load.mutants(all, mutantCount, say), 'long leases'),
  { name: 'perfdhcp', play: () => bench.service.configure(longSlice).then(() => load.perfdhcp(bench)) },
  step('wild-after', clients.wildSide, 'long leases'),
  { name: 'stop', play: async () => stopped() },
];

/** At rest, after serving a household. */
function memory(): Measured {
  const resident = bench.service.residentMb();
  if (resident > residentLimitMb) throw new Error(`${resident} MB resident, ${residentLimitMb} allowed`);
  return { text: `${resident.toFixed(1)} MB resident`, figures: { residentMegabytes: resident } };
}

async function stopped(): Promise<string> {
  await bench.lan.stop();
  await bench.wild.stop();
  await bench.service.stop();
  return 'the service ends with 0';
}

async function begin(network: Network, service: Service, directory: string): Promise<void> {
  await network.build();
  // The first start fills the cache of compiled sources; the image brings it along.
  await service.start(slice);
  await service.stop();
  const observer = (interfaceName: string, filter: string) => {
    const file = join(directory, `${interfaceName}.pcap`);
    return Observer.start(network, { host: 'server', interfaceName, file, filter });
  };
  const lan = await observer('lan0', 'udp port 67 or udp port 68');
  const wild = await observer('wan0', 'ip or ip6');
  bench = { network, service, lan, wild, directory };
  const started = await service.start(slice);
  const probe = await service.probe();
  if (!probe.ok) throw new Error(probe.detail);
  const resident = service.residentMb().toFixed(1);
  ready = `serves ${Math.round(started)} ms after its start, with ${resident} MB resident (${probe.detail})`;
}

const wanted = wantedSteps('dhcp', steps);
const root = join(import.meta.dirname, '../../..');
await must(['make', '-s', '-C', join(root, 'native/lan')], { timeout: 180_000 });
await providePackages();
const directory = mkdtempSync(join(root, '.build/dhcp/run-'));
// The service runs as nobody.
await must(['chmod', '755', directory]);
const network = new Network();
const service = new Service(network, directory);
try {
  await begin(network, service, directory);
  await playSteps('dhcp', steps, wanted);
  if (process.exitCode === 1) console.error(service.log.split('\n').slice(-6).join('\n'));
} catch (error) {
  console.error(error instanceof Error ? error.stack : error);
  process.exitCode = 1;
} finally {
  Child.killAll();
  await service.kill();
  await network.remove();
  if (process.exitCode !== 1) rmSync(directory, { recursive: true });
  process.exit();
}
