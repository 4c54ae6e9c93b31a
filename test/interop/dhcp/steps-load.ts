import { readFileSync } from 'node:fs';
import { replay } from '../../../appliance/lan/dhcp/journal.ts';
import { run } from '../../lab/processes.ts';
import type { Measured } from '../ring.ts';
import { type Bench, longSlice } from './bench.ts';
import { Child } from './child.ts';
import { serverAddress, until } from './network.ts';
import { libraryPath, programs } from './packages.ts';

export async function crowd(bench: Bench, say: (line: string) => void): Promise<void> {
  const child = new Child(bench.network, 'load', 'crowd.ts', 'lease', '254');
  const result = (await child.line()) as { leased: number; distinct: number; again: number; milliseconds: number };
  if (result.leased !== 254 || result.distinct !== 254) throw new Error(JSON.stringify(result));
  say(
    `254 clients at once: all leased, 254 distinct addresses, in ${Math.round(result.milliseconds)} ms (${result.again} had to ask twice)`,
  );
}

export async function mutants(bench: Bench, count: number, say: (line: string) => void): Promise<void> {
  const { service, network } = bench;
  const pid = service.pid;
  const before = (await service.status()).counters.received ?? 0;
  const began = performance.now();
  const child = new Child(network, 'load', 'crowd.ts', 'mutants', String(count));
  for (let sent = 0; sent < count; ) {
    sent = ((await child.line()) as { sent: number }).sent;
    // What is sent must be looked at, not dropped by a full socket: the next thousand wait until it was.
    await until(`${sent} mutants are received`, 20, async () => {
      return ((await service.status()).counters.received ?? 0) - before >= sent - count / 1000;
    });
    child.go();
  }
  const seconds = (performance.now() - began) / 1000;
  const { counters } = await service.status();
  const received = (counters.received ?? 0) - before;
  if (service.pid !== pid || !service.running) throw new Error('the service died');
  const probe = await service.probe();
  if (!probe.ok || received < count * 0.999) throw new Error(`${received} of ${count} received; ${probe.detail}`);
  const { malformedOctets, limited, offer, ack, nak, noNetwork } = counters;
  say(
    `${count} mutated packets: ${received} looked at in ${seconds.toFixed(0)} s, the process runs on (malformed ${malformedOctets}, no network ${noNetwork}, limited ${limited ?? 0}, offers ${offer}, acks ${ack}, naks ${nak})`,
  );
  await crowd(bench, (line) => say(`and right: ${line}`));
}

export async function perfdhcp(bench: Bench): Promise<Measured> {
  const { network, service } = bench;
  const before = statCpu(service.pid);
  const began = performance.now();
  const words = ['-4', '-l', 'eth0', '-r', '400', '-p', '8', '-R', '30000', '-W', '1000000', serverAddress];
  const environment = { ...process.env, LD_LIBRARY_PATH: libraryPath };
  const { stdout } = await run(['ip', 'netns', 'exec', network.name('load'), programs.perfdhcp, ...words], {
    env: environment,
  });
  const seconds = (performance.now() - began) / 1000;
  const rate = Number(/Rate: ([\d.]+) 4-way/.exec(stdout)?.[1]);
  const delays = [...stdout.matchAll(/avg delay: ([\d.]+)/g)].map((match) => match[1]);
  const cpu = (statCpu(service.pid) - before) / seconds;
  if (!(rate >= 300)) throw new Error(stdout);
  const text = `at 400/s: ${rate} four-way exchanges/s (with ARP probes and fsync), OFFER ${delays[0]} ms, ACK ${delays[1]} ms, ${Math.round(cpu * 100)} % of a processor`;
  const [offerMs = Number.NaN, ackMs = Number.NaN] = delays.map(Number);
  return { text, figures: { exchangesPerSecond: rate, offerMs, ackMs, processorPercent: cpu * 100 } };
}

/** Seconds of processor time. */
function statCpu(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

/** Bar 2: killed in the middle of everything, again and again; what was acknowledged is on disk. */
export async function killed(bench: Bench, times: number, say: (line: string) => void): Promise<void> {
  const { network, service } = bench;
  const child = new Child(network, 'load', 'crowd.ts', 'churn');
  const holders = new Map<string, string>();
  const acks: { mac: string; address: string }[] = [];
  child.onLine((line) => acks.push(line as { mac: string; address: string }));
  let checked = 0;
  for (let i = 0; i < times; i += 1) {
    const before = acks.length;
    await until('clients are served', 60, () => acks.length > before + 20);
    await new Promise((resolve) => setTimeout(resolve, Math.random() * 120));
    await service.kill();
    const seen = acks.splice(0);
    const onDisk = new Map(replay(service.journal()).leases.map((lease) => [lease.address, lease]));
    for (const { mac, address } of seen) {
      const holder = holders.get(address);
      if (holder !== undefined && holder !== mac) throw new Error(`${address} was given to ${holder} and to ${mac}`);
      holders.set(address, mac);
    }
    for (const [address, mac] of holders) {
      const lease = onDisk.get(address);
      if (lease?.mac !== mac || lease.state !== 'bound')
        throw new Error(`${address} of ${mac} is lost: ${JSON.stringify(lease)}`);
      checked += 1;
    }
    await service.start(longSlice);
  }
  await child.end();
  say(
    `kill -9 ${times} times under load: ${holders.size} leases, ${checked} times looked up on disk, none lost, none given twice`,
  );
}
