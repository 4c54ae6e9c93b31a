import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseConfig } from '../../appliance/config/schema.ts';
import { Refusal } from '../facts/refusal.ts';
import { compileDevice, compilePeer, compilePortal, type DeviceFacts } from './device.ts';
import { differences, merge } from './merge.ts';

const key = (octet: number) => Buffer.alloc(32, octet).toString('base64');
const facts: DeviceFacts = {
  name: 'home-1',
  ikeId: 'home-1.example',
  publicKey: key(1),
  mayCall: true,
  portal: {
    name: 'portal',
    ikeId: 'portal.example',
    publicKey: key(2),
    addresses: ['198.51.100.10'],
    networks: ['10.1.0.0/16', 'fd01:1::/64'],
    settings: {},
  },
  ranges: ['10.64.0.0/24', 'fd77::/64'],
  dnsZones: [{ name: 'corp.example', primaries: ['10.1.0.53'] }],
  zones: [{ name: 'work', reaches: ['internet', 'tunnel', 'kids'] }],
  settings: [],
};

const compiled = (...settings: Record<string, unknown>[]) => JSON.parse(compileDevice({ ...facts, settings }));

function refusal(...settings: Record<string, unknown>[]): string {
  try {
    compiled(...settings);
  } catch (error) {
    assert.ok(error instanceof Refusal, String(error));
    return error.message;
  }
  return 'accepted';
}

test('a LAN gets DHCP and DNS of the ranges of its site', () => {
  const config = parseConfig(compiled({ lan: { interface: 'lan0' } }));
  const [network] = config.dhcp?.networks ?? [];
  assert.equal(network?.address, '10.64.0.1');
  assert.deepEqual(network?.ranges, [{ first: '10.64.0.2', last: '10.64.0.254' }]);
  assert.deepEqual(network?.ipv6?.routes, ['fd01:1::/64']);
  assert.deepEqual(
    config.dns?.listen.map(({ address }) => address),
    ['10.64.0.1', 'fd77::1'],
  );
  assert.equal(config.dns?.zones[0]?.source, '10.64.0.1');
  assert.deepEqual([config.ntp?.listen, config.ntp?.interface], [['10.64.0.1', 'fd77::1'], 'lan0']);
  assert.deepEqual(network?.ntp, ['10.64.0.1']);
  assert.deepEqual(config.zones, []);
  assert.equal(parseConfig(compiled({})).dhcp, undefined);
  const plain = parseConfig(compiled({ lan: { interface: 'lan0', dns: false, ntp: false } }));
  assert.deepEqual([plain.dns, plain.ntp, plain.dhcp?.networks[0]?.ntp], [undefined, undefined, undefined]);
});

test('with both interfaces named, the box gets its zones, its addresses, and what the policy lets them reach', () => {
  const config = parseConfig(compiled({ lan: { interface: 'work0', wild: 'wild0' } }));
  assert.deepEqual(
    config.zones.map(({ name, kind, interface: port, addressing }) => [name, kind, port, addressing]),
    [
      ['wild', 'wild', 'wild0', 'kept'],
      ['work', 'work', 'work0', 'static'],
    ],
  );
  assert.deepEqual(
    config.zones[1]?.addresses.map(({ address, network }) => `${address}/${network.length}`),
    ['10.64.0.1/24', 'fd77::1/64'],
  );
  assert.deepEqual(
    config.policy.map(({ from, to }) => [from, to]),
    [['work', 'wild']],
  );
});

test('the later setting wins; what the box would refuse is named', () => {
  const lan = { interface: 'lan0', dhcp: { leaseSeconds: 7200 } };
  const config = parseConfig(compiled({ lan }, { lan: { dns: false } }, { lan: { dhcp: { leaseSeconds: 3600 } } }));
  assert.deepEqual([config.dhcp?.networks[0]?.leaseSeconds, config.dns], [3600, undefined]);
  assert.match(refusal({ lan: { interface: 'no/slash' } }), /^lan\.interface: expected an interface name/);
  assert.match(refusal({ lan: { ...lan, dhcp: { leaseSeconds: 1 } } }), /^dhcp\.networks\[0\]\.leaseSeconds: /);
  assert.match(refusal({ peer: { childRekeySeconds: 1 } }), /^peer\.childRekeySeconds: expected at least 10, found 1/);
  assert.match(refusal({ tunnel: { mut: 1400 } }), /^tunnel\.mut: unknown field/);
});

test('both ends agree, and the same facts give the same octets', () => {
  const settings = [{ peer: { childRekeySeconds: 100 }, tunnel: { mtu: 1400 } }];
  const peer = compilePeer({ ...facts, settings });
  const config = parseConfig(JSON.parse(compilePortal(facts.portal, [peer])));
  assert.equal(config.peers[0]?.childRekeySeconds, 100);
  assert.equal(parseConfig(JSON.parse(compileDevice({ ...facts, settings }))).peers[0]?.childRekeySeconds, 100);
  const turned = [{ tunnel: { mtu: 1400 }, peer: { childRekeySeconds: 100 } }];
  assert.equal(compileDevice({ ...facts, settings: turned }), compileDevice({ ...facts, settings }));
  assert.equal(compilePeer({ ...facts, mayCall: false }), '');
  assert.equal(compilePeer({ ...facts, publicKey: null }), '');
});

test('differences tell exactly what merging changed', () => {
  const value = fc.letrec((tie) => ({
    tree: fc.dictionary(fc.constantFrom('a', 'b', 'c'), fc.oneof({ maxDepth: 3 }, fc.integer(), tie('tree')), {
      maxKeys: 3,
    }),
  })).tree as fc.Arbitrary<Record<string, unknown>>;
  fc.assert(
    fc.property(value, value, (below, above) => {
      const merged = merge(below, above);
      assert.deepEqual(differences(merged, merge(merged, above)), []); // applied twice changes nothing
      const changed = differences(below, merged);
      const paths = new Set(changed.map(({ path }) => path));
      assert.equal(paths.size, changed.length);
      assert.equal(changed.length === 0, JSON.stringify(sorted(below)) === JSON.stringify(sorted(merged)));
    }),
  );
});

function sorted(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, one]) => [name, sorted(one)]),
  );
}
