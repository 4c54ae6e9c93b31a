import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseDhcpSlice } from '../../config/dhcp.ts';
import { concat, DecodeError, fromHex, hex } from '../../lib/bytes.ts';
import {
  advertised,
  advertisementOf,
  configureAdvertiser,
  type Ipv6Config,
  solicited,
  withDelegated,
} from './advertiser.ts';
import { answerInformation, duidOf } from './dhcp6.ts';
import { checkSolicitation, encodeAdvertisement } from './ra.ts';
import { homeNetwork } from './testing.ts';

function ipv6(change: object = {}): Ipv6Config {
  const settings = { prefixes: [{ prefix: 'fd00:1::/64' }], dns: ['fd00:1::1'], mtu: 1400, ...change };
  const network = parseDhcpSlice({ networks: [{ ...homeNetwork, ipv6: settings }] }).networks[0];
  if (!network?.ipv6) throw new Error('the network above has IPv6');
  return network.ipv6;
}

const mac = fromHex('020000000001');
const speaker = { mac, domain: 'home.arpa', searchDomains: [], captivePortal: undefined };
const start = { now: 1000, random: 0.5 };

test('an advertisement, octet by octet (RFC 4861, RFC 8106, RFC 4191)', () => {
  const config = ipv6({ defaultRouter: true, routes: ['fd99::/32'] });
  const state = configureAdvertiser(undefined, undefined, config, start);
  const octets = encodeAdvertisement(advertisementOf(state, config, speaker));
  const parts = [
    '86000000' + '40' + '40' + '0708' + '0000000000000000',
    '0101020000000001',
    '0501' + '0000' + '00000578',
    '0304' + '40c0' + '00015180' + '00003840' + '00000000' + 'fd000001000000000000000000000000',
    '1803' + '2000' + '00000708' + 'fd990000000000000000000000000000',
    '1903' + '0000' + '00000708' + 'fd000001000000000000000000000001',
    '1f03' + '0000' + '00000708' + '04686f6d65' + '0461727061' + '00' + '0000000000',
  ];
  assert.equal(hex(octets), parts.join(''));
});

test('the first three come close together, then at random within the interval', () => {
  const config = ipv6({ intervalSeconds: 600 });
  let state = configureAdvertiser(undefined, undefined, config, start);
  assert.equal(state.nextAt, 1000);
  for (const expected of [16_000, 16_000]) {
    const now: number = state.nextAt;
    state = advertised(state, config, { now, random: 0.5 });
    assert.equal(state.nextAt - now, expected);
  }
  fc.assert(
    fc.property(fc.double({ min: 0, max: 0.999, noNaN: true }), (random) => {
      const next = advertised({ ...state, sent: 3 }, config, { now: 0, random }).nextAt;
      assert.ok(next >= 198_000 && next <= 600_000);
    }),
  );
});

test('a solicitation brings the next one forward, never closer than three seconds to the last', () => {
  const config = ipv6();
  const state = advertised(configureAdvertiser(undefined, undefined, config, start), config, {
    now: 10_000,
    random: 0,
  });
  assert.equal(solicited(state, { now: 10_100, random: 0.9 }).nextAt, 13_000);
  assert.equal(solicited(state, { now: 15_000, random: 0.5 }).nextAt, 15_250);
});

test('a delegated prefix is advertised while the interface has it, for as long as a provider may be trusted', () => {
  const config = ipv6({ delegated: true });
  const given = [
    '2001:db8:9:1::1/64',
    '2001:db8:9:1:ff::2/64',
    'fd77::1/64',
    'fe80::1/64',
    '2001:db8::1/56',
    '10.0.0.1/24',
  ];
  const with1 = withDelegated(config, given);
  assert.deepEqual(
    with1.prefixes.map(({ prefix, validSeconds }) => `${prefix} ${validSeconds}`),
    ['fd00:1::/64 86400', '2001:db8:9:1::/64 5400'],
  );
  assert.deepEqual(withDelegated(ipv6(), given).prefixes, ipv6().prefixes, 'only where it is wanted');
  const with2 = withDelegated(config, ['2001:db8:9:2::1/64']);
  const first = configureAdvertiser(undefined, undefined, with1, start);
  const second = configureAdvertiser(first, with1, with2, { now: 5000, random: 0 });
  const told = advertisementOf(second, with2, speaker).prefixes.map(
    ({ prefix, preferredSeconds }) => `${prefix.address} ${preferredSeconds}`,
  );
  assert.deepEqual(told, ['fd00:1:: 14400', '2001:db8:9:2:: 2700', '2001:db8:9:1:: 0']);
});

test('a prefix that went is deprecated for two hours; the last word says no router', () => {
  const before = ipv6({ defaultRouter: true });
  const after = ipv6({ defaultRouter: true, prefixes: [{ prefix: 'fd00:2::/64' }] });
  const first = configureAdvertiser(undefined, undefined, before, start);
  const state = configureAdvertiser(first, before, after, { now: 5000, random: 0 });
  const told = advertisementOf(state, after, speaker);
  assert.deepEqual(
    told.prefixes.map(({ prefix, preferredSeconds }) => [prefix.address, preferredSeconds]),
    [
      ['fd00:2::', 14_400],
      ['fd00:1::', 0],
    ],
  );
  assert.equal(advertised(state, after, { now: 5000 + 7_200_000, random: 0 }).retired.length, 0);
  const back = configureAdvertiser(state, after, before, { now: 6000, random: 0 });
  assert.deepEqual(
    advertisementOf(back, before, speaker).prefixes.map(({ prefix }) => prefix.address),
    ['fd00:1::', 'fd00:2::'],
  );
  assert.equal(advertisementOf(state, after, speaker, true).routerLifetimeSeconds, 0);
});

test('solicitations are checked (RFC 4861 6.1.1)', () => {
  const plain = fromHex('8500000000000000');
  checkSolicitation(plain, '::');
  checkSolicitation(concat(plain, fromHex('0101020000000001')), 'fe80::1');
  assert.throws(() => checkSolicitation(concat(plain, fromHex('0101020000000001')), '::'), /of nobody/);
  assert.throws(() => checkSolicitation(concat(plain, fromHex('0100')), 'fe80::1'), /length 0/);
  assert.throws(() => checkSolicitation(plain.subarray(0, 7), '::'), DecodeError);
  assert.throws(() => checkSolicitation(fromHex('8600000000000000'), '::'), /no solicitation/);
});

const information = { dns: ['fd00:1::1'], searchDomains: ['home.arpa'], ntp: ['fd00:1::1'], refreshSeconds: 1800 };
const duid = duidOf(mac);

test('an Information-request is answered with what it asks for (RFC 8415 18.3.6, RFC 3646, RFC 5908)', () => {
  const client = '000100040001beef';
  const reply = answerInformation(fromHex(`0b123456${client}0006000400170018`), duid, information);
  const server = `0002000a${hex(duid)}`;
  const dns = '00170010' + 'fd000001000000000000000000000001';
  const search = '0018000b' + '04686f6d65046172706100';
  assert.equal(hex(reply ?? new Uint8Array()), `07123456${client}${server}${dns}${search}`);
  const all = hex(answerInformation(fromHex('0b123456'), duid, information) ?? new Uint8Array());
  assert.ok(all.includes('0038001400010010fd000001000000000000000000000001') && all.endsWith('0020000400000708'));
});

test('messages that are not for a stateless server get no answer', () => {
  assert.equal(answerInformation(fromHex('01123456'), duid, information), undefined, 'Solicit');
  assert.equal(
    answerInformation(fromHex('0b123456' + '0003000c000000010000000000000000'), duid, information),
    undefined,
  );
  assert.equal(answerInformation(fromHex('0b123456' + '00020002beef'), duid, information), undefined, 'another server');
  assert.throws(() => answerInformation(fromHex('0b123456' + '0001ffff00'), duid, information), DecodeError);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (tail) => {
      try {
        answerInformation(concat(fromHex('0b123456'), tail), duid, information);
      } catch (error) {
        assert.ok(error instanceof DecodeError);
      }
    }),
  );
});
