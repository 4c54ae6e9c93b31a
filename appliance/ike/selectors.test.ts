import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ipFromNumber, parsePrefix, selectorOf } from '../lib/ip.ts';
import type { Selector } from '../lib/net.ts';
import { isWithin, narrowSelectors } from './selectors.ts';

const net = (text: string) => selectorOf(parsePrefix(text));

test('narrowing keeps what both want, per family', () => {
  const cases = [
    { offered: [net('0.0.0.0/0'), net('::/0')], allowed: [net('10.0.0.0/8')], result: [net('10.0.0.0/8')] },
    { offered: [net('10.1.0.0/16')], allowed: [net('10.0.0.0/8'), net('::/0')], result: [net('10.1.0.0/16')] },
    { offered: [net('10.1.0.0/16')], allowed: [net('10.2.0.0/16')], result: [] },
    // The packet that woke the tunnel comes first and is covered by what follows.
    { offered: [net('10.1.0.1/32'), net('10.1.0.0/24')], allowed: [net('10.0.0.0/8')], result: [net('10.1.0.0/24')] },
    { offered: [], allowed: [net('10.0.0.0/8')], result: [] },
  ];
  for (const { offered, allowed, result } of cases) assert.deepEqual(narrowSelectors(offered, allowed), result);
});

test('protocols and ports narrow, too', () => {
  const web = { ...net('10.0.0.0/8'), protocol: 6, startPort: 80, endPort: 443 };
  const low = { ...net('10.1.0.0/16'), startPort: 0, endPort: 99 };
  assert.deepEqual(narrowSelectors([web], [low]), [{ ...net('10.1.0.0/16'), protocol: 6, startPort: 80, endPort: 99 }]);
  assert.deepEqual(narrowSelectors([web], [{ ...low, protocol: 17 }]), []);
});

test('an answer beyond the offer is noticed', () => {
  assert.ok(isWithin([net('10.1.0.0/16')], [net('10.0.0.0/8')]));
  assert.ok(!isWithin([net('10.0.0.0/7')], [net('10.0.0.0/8')]));
  assert.ok(!isWithin([{ ...net('10.0.0.0/8'), protocol: 0 }], [{ ...net('10.0.0.0/8'), protocol: 6 }]));
  assert.ok(!isWithin([], [net('10.0.0.0/8')]));
});

const address = fc.integer({ min: 0, max: 40 });
const selector = fc.tuple(address, address, fc.constantFrom(0, 6, 17)).map(([a, b, protocol]): Selector => {
  const [first, last] = a < b ? [a, b] : [b, a];
  const ip = (n: number) => ipFromNumber(BigInt(n), 4);
  return { startAddress: ip(first), endAddress: ip(last), protocol, startPort: 0, endPort: 65535 };
});

test('what comes out is within both sides, and nothing common is forgotten', () => {
  const several = fc.array(selector, { maxLength: 4 });
  fc.assert(
    fc.property(several, several, (offered, allowed) => {
      const narrowed = narrowSelectors(offered, allowed);
      if (narrowed.length > 0) assert.ok(isWithin(narrowed, offered) && isWithin(narrowed, allowed));
      for (const wish of offered) {
        for (const limit of allowed) {
          const common = narrowSelectors([wish], [limit]);
          if (common.length > 0) assert.ok(isWithin(common, narrowed));
        }
      }
    }),
    { seed: 1 },
  );
});
