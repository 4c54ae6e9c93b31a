import { familyOf, ipFromNumber, ipToNumber } from '../lib/ip.ts';
import type { Selector } from '../lib/net.ts';

/** One octet counts the selectors of a payload; far fewer are sensible, and narrowing multiplies. */
const maxSelectors = 64;

/** RFC 7296 2.9: what both the peer's wish and our policy cover, per family. Empty: TS_UNACCEPTABLE. */
export function narrowSelectors(offered: readonly Selector[], allowed: readonly Selector[]): Selector[] {
  const narrowed: Selector[] = [];
  for (const wish of offered) {
    for (const limit of allowed) {
      const common = intersect(wish, limit);
      if (common === null || narrowed.some((each) => covers(each, common))) continue;
      const kept = narrowed.filter((each) => !covers(common, each));
      narrowed.splice(0, narrowed.length, ...kept, common);
      if (narrowed.length === maxSelectors) return narrowed;
    }
  }
  return narrowed;
}

/** Whether the answer asks for nothing beyond what was offered. */
export function isWithin(answer: readonly Selector[], offered: readonly Selector[]): boolean {
  return answer.length > 0 && answer.every((each) => offered.some((wish) => covers(wish, each)));
}

function covers(outer: Selector, inner: Selector): boolean {
  const common = intersect(inner, outer);
  return common !== null && sameSelector(common, inner);
}

export function sameSelector(a: Selector, b: Selector): boolean {
  return (
    a.startAddress === b.startAddress &&
    a.endAddress === b.endAddress &&
    a.protocol === b.protocol &&
    a.startPort === b.startPort &&
    a.endPort === b.endPort
  );
}

function intersect(a: Selector, b: Selector): Selector | null {
  const family = familyOf(a.startAddress);
  if (family !== familyOf(b.startAddress)) return null;
  if (a.protocol !== b.protocol && a.protocol !== 0 && b.protocol !== 0) return null;
  const startPort = Math.max(a.startPort, b.startPort);
  const endPort = Math.min(a.endPort, b.endPort);
  const start = larger(ipToNumber(a.startAddress), ipToNumber(b.startAddress));
  const end = smaller(ipToNumber(a.endAddress), ipToNumber(b.endAddress));
  if (startPort > endPort || start > end) return null;
  const startAddress = ipFromNumber(start, family);
  return {
    startAddress,
    endAddress: ipFromNumber(end, family),
    protocol: a.protocol || b.protocol,
    startPort,
    endPort,
  };
}

function larger(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}

function smaller(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}
