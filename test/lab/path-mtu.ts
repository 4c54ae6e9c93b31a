import type { MtuStatus } from '../../appliance/tunnel/mtu.ts';
import { runFlow } from './flow.ts';
import type { Moat } from './moat.ts';
import type { CapturedPacket } from './pcap.ts';
import { sleep } from './processes.ts';
import { expect } from './story.ts';
import type { World } from './world.ts';

/** What `moat status` says about the way to the peer. @throws {Error} when there is none. */
export async function pathStatus(moat: Moat): Promise<MtuStatus> {
  const { mtu } = await moat.peer();
  if (!mtu) throw new Error('moat status does not say how it carries packets');
  return mtu;
}

/** Waits until both ends have found what the path carries. */
export async function searched(moats: readonly Moat[], timeout = 30_000): Promise<MtuStatus[]> {
  const deadline = performance.now() + timeout;
  while (true) {
    const found = await Promise.all(moats.map(pathStatus));
    if (found.every(({ searching, pathMtuSource }) => !searching && pathMtuSource === 'probed')) return found;
    if (performance.now() > deadline) throw new Error(`path not found within ${timeout} ms: ${JSON.stringify(found)}`);
    await sleep(50);
  }
}

/** DF pings of `size` octets, both families, both ways: all have to be answered. */
export async function pings({ pc, corp, addresses }: World, size: number, count = 4): Promise<void> {
  const options = { size, count, fragment: false, interval: 20, wait: 3000 };
  const results = await Promise.all([
    pc.ping(addresses.corp.v4, options),
    pc.ping(addresses.corp.v6, options),
    corp.ping(addresses.pc.v4, options),
    corp.ping(addresses.pc.v6, options),
  ]);
  const received = results.map((result) => result.received);
  const errors = results.flatMap((result) => result.errors);
  expect(received.every((answers) => answers === count) && errors.length === 0, `${count} answers each`, {
    received,
    errors,
  });
}

/** A flow of DF datagrams of `octets` each way: nothing may be lost. */
export async function datagrams(world: World, octets: number, rateMbit: number, seconds: number): Promise<void> {
  const options = { octets, rateMbit, seconds, dontFragment: true };
  const results = await Promise.all([
    runFlow(world.pc, world.corp, { ...options, target: world.addresses.corp.v4, port: 5100 }),
    runFlow(world.corp, world.pc, { ...options, target: world.addresses.pc.v6, port: 5101 }),
  ]);
  for (const result of results) {
    expect(result.lost + result.duplicates + result.corrupted === 0, 'nothing lost, doubled or corrupted', result);
  }
}

/** Between the gateways only, and not what neighbours say to each other. */
export function envelopes(packets: readonly CapturedPacket[]): CapturedPacket[] {
  return packets.filter(({ protocol }) => protocol === 17 || protocol === 50);
}
