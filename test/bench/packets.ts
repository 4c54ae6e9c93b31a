import { type FlowResult, runFlow } from '../lab/flow.ts';
import type { World } from '../lab/world.ts';
import { type CpuTime, cpuTime, spent } from './cpu.ts';

/** What still counts as arriving without loss. */
const allowedLossShare = 0.005;
const latestUs = 100_000;

/** Below this share of the wanted rate it is the sender that cannot keep up, and no higher rate will be sent. */
const keptUpShare = 0.95;

export interface SearchEffort {
  /** Of one attempt. */
  readonly seconds: number;
  /** The search ends when what failed is at most so many times what worked. */
  readonly precision: number;
  /** Attempts at a rate before it counts as failed. */
  readonly tries: number;
}

/** Where a search begins, and how far its first step goes. */
export interface Hint {
  readonly perSecond: number;
  readonly factor: number;
}

export interface PacketRate {
  /** Packets a second that arrived in the best attempt; 0 when no rate worked. */
  readonly perSecond: number;
  /** Spent in that attempt. */
  readonly cpu: CpuTime;
  readonly packets: number;
}

/** IPv4 and UDP headers. */
export const headerOctets = 28;
const lowestRate = 1000;
const nothing: PacketRate = { perSecond: 0, cpu: { gateways: 0, softirq: 0, machine: 0 }, packets: 0 };

/** Above this loss another try would not help. */
const hopelessLossShare = 0.1;

/**
 * The highest rate of UDP packets from pc to corp that arrives: less than 0.5 % lost, none later than 100 ms. By
 * bisection on a logarithmic scale from `hint`. `payloadOctets` from 24.
 */
export async function losslessRate(
  world: World,
  payloadOctets: number,
  effort: SearchEffort,
  hint: Hint,
): Promise<PacketRate> {
  let best = nothing;
  let good = 0;
  let bad = Number.POSITIVE_INFINITY;
  let wanted = hint.perSecond;
  let factor = hint.factor;
  while (wanted > lowestRate) {
    const reached = await attempts(world, payloadOctets, effort, wanted);
    if (reached && reached.perSecond > best.perSecond) best = reached;
    if (reached) good = wanted;
    else bad = wanted;
    if (reached && reached.perSecond < wanted * keptUpShare) break;
    if (good > 0 && bad / good <= effort.precision) break;
    wanted = nextRate(good, bad, factor);
    factor = Math.min(factor * factor, largestFactor);
  }
  return best;
}

const largestFactor = 1.6;

/** Up by a factor until something fails, down by it until something works, then the middle. */
export function nextRate(good: number, bad: number, factor: number): number {
  if (bad === Number.POSITIVE_INFINITY) return good * factor;
  return good === 0 ? bad / factor : Math.sqrt(good * bad);
}

async function attempts(
  world: World,
  payloadOctets: number,
  effort: SearchEffort,
  perSecond: number,
): Promise<PacketRate | undefined> {
  const gateways = [world.moat, world.portal];
  const octets = payloadOctets + headerOctets;
  for (let tries = 0; tries < effort.tries; tries += 1) {
    const from = await cpuTime(gateways);
    const result = await runFlow(world.pc, world.corp, {
      target: world.addresses.corp.v4,
      octets,
      rateMbit: (perSecond * octets * 8) / 1e6,
      seconds: effort.seconds,
      settleMs: 150,
    });
    if (result.lost > result.sent * hopelessLossShare) return undefined;
    if (!arrived(result)) continue;
    const cpu = spent(from, await cpuTime(gateways));
    return { perSecond: result.bitsPerSecond / octets / 8, cpu, packets: result.received };
  }
  return undefined;
}

/** Whether a flow counts as free of loss. */
export function arrived({
  sent,
  refused,
  lost,
  delayUs,
}: Pick<FlowResult, 'sent' | 'refused' | 'lost' | 'delayUs'>): boolean {
  return refused === 0 && lost < sent * allowedLossShare && delayUs.max <= latestUs;
}
