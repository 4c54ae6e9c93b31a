import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sameBytes } from '../../lib/bytes.ts';
import { Pair } from '../pair.ts';

const ike = { ciphers: ['aes-256-gcm-16'], prfs: ['hmac-sha2-256'], keyExchanges: ['x25519'] } as const;
const hybrid = { ...ike, additionalKeyExchanges: ['mlkem768', 'none'] } as const;
const strict = { ...ike, additionalKeyExchanges: ['mlkem768'] } as const;

function status(pair: Pair) {
  return [pair.home, pair.portal].map(({ endpoint }) => endpoint.status(0)[0]);
}

test('six messages make an IKE SA with ML-KEM-768', () => {
  const pair = new Pair({ home: { ike: hybrid }, portal: { ike: hybrid } });
  pair.initiate();
  pair.portal.hear(pair.home.next()); // home -> portal  IKE_SA_INIT { ..., N(INTERMEDIATE_EXCHANGE_SUPPORTED) }
  pair.home.hear(pair.portal.next()); // portal -> home  IKE_SA_INIT
  const fragments = pair.home.wire.splice(0); // home -> portal  IKE_INTERMEDIATE { KE }, in fragments
  assert.ok(fragments.length > 1 && fragments.every(({ bytes }) => bytes.length <= 544));
  for (const fragment of fragments.toReversed()) pair.portal.hear(fragment);
  for (const fragment of pair.portal.wire.splice(0)) pair.home.hear(fragment); // portal -> home  IKE_INTERMEDIATE { KE }
  pair.portal.hear(pair.home.next()); // home -> portal  IKE_AUTH, with the new keys
  pair.home.hear(pair.portal.next());
  assert.deepEqual(
    status(pair).map((each) => [each?.state, each?.additionalKeyExchange]),
    [
      ['established', 'mlkem768'],
      ['established', 'mlkem768'],
    ],
  );
  const out = pair.home.effects.find((effect) => effect.kind === 'installOutbound');
  const into = pair.portal.effects.find((effect) => effect.kind === 'installInbound');
  assert.ok(out && into && sameBytes(out.sa.key.reveal(), into.sa.key.reveal()));
});

test('with a peer that has it not, there is none, unless it is demanded', () => {
  const without = new Pair({ home: { ike: hybrid } });
  without.initiate();
  without.settle();
  assert.deepEqual(
    status(without).map((each) => each?.additionalKeyExchange),
    [null, null],
  );
  const refused = new Pair({ home: { ike: strict } });
  refused.initiate();
  refused.settle();
  refused.wait(10_000);
  const [report] = refused.home.reports;
  assert.equal(report?.kind === 'failed' && report.failure, 'noProposalChosen');
});

test('nobody gets around the additional key exchange to IKE_AUTH', () => {
  const pair = new Pair({ home: { ike: hybrid }, portal: { ike: hybrid } });
  pair.initiate();
  pair.portal.hear(pair.home.next());
  pair.home.hear(pair.portal.next());
  for (const { bytes, path } of pair.home.wire.splice(0)) {
    const asAuth = bytes.map((octet, i) => (i === 18 ? 35 : octet));
    pair.portal.hear({ bytes: asAuth, path });
  }
  assert.deepEqual(pair.portal.wire, []);
});

test('lost fragments come again, all of them, and the answer to a repeated first fragment is the same', () => {
  const pair = new Pair({ home: { ike: hybrid }, portal: { ike: hybrid } });
  pair.initiate();
  pair.portal.hear(pair.home.next());
  pair.home.hear(pair.portal.next());
  const fragments = pair.home.wire.splice(0);
  for (const fragment of fragments) pair.portal.hear(fragment);
  const answers = pair.portal.wire.splice(0);
  for (const fragment of fragments) pair.portal.hear(fragment);
  assert.deepEqual(pair.portal.wire.splice(0), answers);
  pair.wait(600);
  assert.deepEqual(pair.home.wire.splice(0), fragments);
});
