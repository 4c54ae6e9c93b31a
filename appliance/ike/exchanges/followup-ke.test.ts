import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sameBytes } from '../../lib/bytes.ts';
import { Pair } from '../pair.ts';

const more = { additionalKeyExchanges: ['mlkem768', 'none'] } as const;
const quantum = {
  ike: { ciphers: ['aes-256-gcm-16'], prfs: ['hmac-sha2-256'], keyExchanges: ['x25519'], ...more },
  esp: { ciphers: ['aes-256-gcm-16'], keyExchanges: ['x25519'], esn: [true], ...more },
} as const;

function established(): Pair {
  const pair = new Pair({ home: quantum, portal: quantum });
  pair.establish();
  return pair;
}

const exchangeOf = (message: { bytes: Uint8Array } | undefined) => message?.bytes[18];

test('a child is rekeyed with ML-KEM by a second exchange; nothing is installed before it', () => {
  const pair = established();
  pair.home.step({ kind: 'rekey', peer: 'portal', what: 'child' });
  pair.portal.hear(pair.home.next()); // home -> portal  CREATE_CHILD_SA { N(REKEY_SA), SA, Ni, KEi, TSi, TSr }
  assert.deepEqual(pair.portal.kinds(), []);
  pair.home.hear(pair.portal.next()); // portal -> home  CREATE_CHILD_SA { SA, Nr, KEr, TSi, TSr, N(ADD_KE) }
  assert.equal(exchangeOf(pair.home.wire[0]), 44); // home -> portal  IKE_FOLLOWUP_KE { KE, N(ADD_KE) }
  pair.settle();
  const out = pair.home.effects.find((effect) => effect.kind === 'installOutbound');
  const into = pair.portal.effects.find((effect) => effect.kind === 'installInbound');
  assert.ok(out && into && sameBytes(out.sa.key.reveal(), into.sa.key.reveal()));
  assert.equal(pair.home.endpoint.status(0)[0]?.children[0]?.additionalKeyExchange, 'mlkem768');
});

test('an IKE SA is rekeyed with ML-KEM, and the child goes along', () => {
  const pair = established();
  pair.portal.step({ kind: 'rekey', peer: 'home', what: 'ike' });
  pair.settle();
  for (const side of [pair.home, pair.portal]) {
    const [status, ...others] = side.endpoint.status(0);
    assert.deepEqual(others, []);
    assert.deepEqual([status?.rekeys, status?.additionalKeyExchange, status?.children.length], [1, 'mlkem768', 1]);
  }
  pair.home.step({ kind: 'rekey', peer: 'portal', what: 'child' });
  pair.settle();
  assert.equal(pair.portal.endpoint.status(0)[0]?.children[0]?.rekeys, 1);
});

test('a follow-up that nobody waits for is refused, and the rekey is tried again later', () => {
  const pair = established();
  pair.home.step({ kind: 'rekey', peer: 'portal', what: 'child' });
  pair.portal.hear(pair.home.next());
  pair.home.hear(pair.portal.next());
  const followUp = pair.home.wire.splice(0);
  pair.clock.now += 41_000; // the portal has forgotten
  pair.portal.step({ kind: 'wake' });
  for (const message of followUp) pair.portal.hear(message);
  assert.equal(pair.portal.endpoint.counters().followUpUnknown, 1);
  pair.home.hear(pair.portal.next()); // portal -> home  IKE_FOLLOWUP_KE { N(STATE_NOT_FOUND) }
  assert.deepEqual([pair.home.kinds(), pair.portal.kinds()], [[], []]);
  pair.wait(10_000);
  pair.settle();
  assert.equal(pair.home.endpoint.status(0)[0]?.children[0]?.rekeys, 1);
});
