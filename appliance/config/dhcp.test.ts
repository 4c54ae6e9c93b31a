import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseDhcpSlice } from './dhcp.ts';

const home = {
  zone: 'work',
  interface: 'lan0',
  address: '10.0.0.1',
  prefix: '10.0.0.0/24',
  ranges: [{ first: '10.0.0.10', last: '10.0.0.20' }],
};

test('defaults are filled in once, here', () => {
  const slice = parseDhcpSlice({ networks: [home] });
  assert.equal(slice.networks[0]?.leaseSeconds, 86_400);
  assert.equal(slice.networks[0]?.domain, 'home.arpa');
  assert.deepEqual(parseDhcpSlice(slice), slice, 'the supervisor parses before the service does');
});

test('a refusal names the field', () => {
  const refused: [object, RegExp][] = [
    [
      { ranges: [{ first: '10.0.0.20', last: '10.0.0.10' }] },
      /^ConfigError: networks\[0\]\.ranges\[0\]: ends before it starts/,
    ],
    [{ ranges: [{ first: '10.0.0.10', last: '10.0.0.255' }] }, /ranges\[0\]: leaves the hosts/],
    [{ ranges: [home.ranges[0], { first: '10.0.0.20', last: '10.0.0.30' }] }, /ranges\[1\]: overlaps/],
    [{ address: '10.9.0.1' }, /address: is outside of the network, and there are no relays/],
    [{ address: '10.9.0.1', relays: ['10.0.0.2'] }, /router: must be given/],
    [{ leaseSeconds: 60 }, /leaseSeconds: is not between/],
    [{ options: [{ code: 53, hex: '01' }] }, /options\[0\]\.code: is an option that the server itself sets/],
    [{ options: [{ code: 43 }] }, /options\[0\]: needs exactly one/],
    [{ reservations: [{ address: '10.0.0.5' }] }, /reservations\[0\]: needs a mac or a clientId/],
    [{ reservations: [{ mac: '02:00:00:00:00:01', address: '10.0.0.1' }] }, /is our own address/],
    [{ router: '10.0.1.1' }, /router: is outside/],
    [{ ipv6: { prefixes: [{ prefix: 'fd00::/48' }] } }, /its length must be 64/],
    [{ colour: 'red' }, /colour/],
  ];
  for (const [change, expected] of refused) {
    assert.throws(() => parseDhcpSlice({ networks: [{ ...home, ...change }] }), expected);
  }
});

test('networks may not collide, but one interface may carry relayed ones beside its own', () => {
  const twice = { ...home, zone: 'kids', interface: 'lan1' };
  assert.throws(() => parseDhcpSlice({ networks: [home, twice] }), /networks\[1\]\.prefix: overlaps/);
  const relayed = { ...home, zone: 'far', prefix: '10.9.0.0/24', relays: ['10.9.0.1'], router: '10.9.0.1', ranges: [] };
  assert.equal(parseDhcpSlice({ networks: [home, relayed] }).networks.length, 2);
  const second = { ...home, zone: 'kids', address: '10.1.0.1', prefix: '10.1.0.0/24', ranges: [] };
  assert.throws(() => parseDhcpSlice({ networks: [home, second] }), /already has another server address/);
});
