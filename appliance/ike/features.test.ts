import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fromHex } from '../lib/bytes.ts';
import { noCapabilities } from '../lib/esp-sa.ts';
import { agreeFeatures, featurePayloads, isMoat, offerFeatures, vendorPayload } from './features.ts';
import { Pair, peers } from './pair.ts';
import type { Channel } from './states.ts';
import { notifyOf } from './wire/notify.ts';
import { notifies } from './wire/payloads.ts';

const { home } = peers();
const channel = (moat: boolean) => ({ moat }) as Channel;

test('AGGFRAG is asked for with exactly one octet of flags (RFC 9347 5.1)', () => {
  const [asked] = offerFeatures(home, channel(false));
  assert.deepEqual(asked, { type: 'N', body: notifyOf('USE_AGGFRAG', fromHex('00')) });
});

test('flags that we do not serve, and transport mode, mean plain ESP', () => {
  const agreed = (...octets: string[]) =>
    agreeFeatures(
      home,
      channel(false),
      octets.map((text) => notifyOf('USE_AGGFRAG', fromHex(text))),
    ).aggfrag;
  assert.deepEqual([agreed('00'), agreed('')], [true, true]);
  for (const flags of ['01', '02', '80', '0000']) assert.equal(agreed(flags), false, flags);
  assert.equal(agreed('00', '00'), false);
  assert.equal(agreed(), false);
  const transport = [notifyOf('USE_AGGFRAG', fromHex('00')), notifyOf('USE_TRANSPORT_MODE')];
  assert.equal(agreeFeatures(home, channel(false), transport).aggfrag, false);
  assert.equal(agreeFeatures({ ...home, aggfrag: false }, channel(false), transport.slice(0, 1)).aggfrag, false);
});

test('capabilities go only to a peer with the vendor id, and what both have remains', () => {
  assert.equal(notifies(offerFeatures(home, channel(false))).length, 1);
  const [, offered] = notifies(offerFeatures(home, channel(true)));
  assert.deepEqual(offered, notifyOf('MOAT_CAPABILITIES', fromHex('01')));
  const all = [notifyOf('MOAT_CAPABILITIES', fromHex('ff'))];
  assert.deepEqual(agreeFeatures(home, channel(true), all).capabilities, { pathProbes: true, superPackets: false });
  assert.deepEqual(agreeFeatures(home, channel(false), all).capabilities, noCapabilities);
  assert.deepEqual(agreeFeatures(home, channel(true), [notifyOf('MOAT_CAPABILITIES')]).capabilities, noCapabilities);
  assert.deepEqual(featurePayloads({ aggfrag: false, capabilities: noCapabilities }, channel(true)), []);
});

test('the vendor id is known by all of its octets', () => {
  assert.ok(isMoat([vendorPayload()]));
  assert.ok(!isMoat([{ type: 'V', body: fromHex('0102') }]));
  assert.ok(!isMoat([]));
});

test('both ends install what was agreed, also after a rekey of child and IKE SA', () => {
  const pair = new Pair({ portal: { capabilities: { pathProbes: true, superPackets: true } } });
  pair.initiate();
  pair.settle();
  for (const what of ['ike', 'child'] as const) {
    pair.home.step({ kind: 'rekey', peer: 'portal', what });
    pair.settle();
  }
  for (const side of [pair.home, pair.portal]) {
    const installed = side.effects.flatMap((effect) => ('sa' in effect ? [effect.sa] : []));
    assert.equal(installed.length, 4);
    for (const { aggfrag, capabilities } of installed) {
      assert.deepEqual(
        { aggfrag, capabilities },
        { aggfrag: true, capabilities: { pathProbes: true, superPackets: false } },
      );
    }
    assert.equal(side.endpoint.status(0)[0]?.children[0]?.mode, 'aggfrag');
  }
});
