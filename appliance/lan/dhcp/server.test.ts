import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fromHex, hex } from '../../lib/bytes.ts';
import { messageType, option } from './numbers.ts';
import type { RawOption } from './options.ts';
import { clientMessage, homeNetwork, macOf, TestServer } from './testing.ts';

const { discover, request, decline, release, inform, offer, ack, nak } = messageType;
const a = macOf(0xa);
const b = macOf(0xb);
const server = '10.0.0.1';

function u32(octets: Uint8Array | undefined): number {
  return octets ? Number.parseInt(hex(octets), 16) : Number.NaN;
}

test('DISCOVER, OFFER, REQUEST, ACK; on disk before the ACK leaves', async () => {
  const home = new TestServer();
  const offered = await home.say({ type: discover, mac: a });
  assert.equal(offered?.type, offer);
  assert.deepEqual(home.committed, [], 'an offer is no promise');
  const ackd = await home.say({ type: request, mac: a, requested: offered?.yiaddr ?? '', server });
  assert.equal(ackd?.type, ack);
  assert.equal(ackd?.yiaddr, offered?.yiaddr);
  assert.deepEqual(home.committed, [`bound ${offered?.yiaddr}`]);
  assert.equal(u32(ackd?.options.get(option.leaseTime)), 86_400);
  assert.equal(u32(ackd?.options.get(option.renewalTime)), 43_200);
  assert.equal(u32(ackd?.options.get(option.rebindingTime)), 75_600);
  assert.equal(u32(ackd?.options.get(option.subnetMask)), 0xffffff00);
  assert.equal(u32(ackd?.options.get(option.router)), 0x0a000001);
});

test('RENEWING and REBINDING extend, INIT-REBOOT confirms (RFC 2131 4.3.2)', async () => {
  const home = new TestServer();
  const address = (await home.lease(a)) ?? '';
  home.now += 50_000_000;
  const renewed = await home.say({ type: request, mac: a, ciaddr: address });
  assert.equal(renewed?.type, ack);
  assert.deepEqual(renewed?.to, { kind: 'frame', mac: a, address });
  home.now += 50_000_000;
  assert.ok((home.leases.at('work', address)?.expiresAt ?? 0) > home.now, 'extended, not expired');
  const rebooted = await home.say({ type: request, mac: a, requested: address });
  assert.equal(rebooted?.type, ack);
});

test('NAK: wrong network, somebody else’s address, reserved address; broadcast', async () => {
  const home = new TestServer();
  const address = (await home.lease(a)) ?? '';
  const wrong = await home.say({ type: request, mac: b, requested: '192.168.1.5' });
  assert.equal(wrong?.type, nak);
  assert.deepEqual(wrong?.to, { kind: 'frame', mac: 'ff:ff:ff:ff:ff:ff', address: '255.255.255.255' });
  assert.equal(wrong?.yiaddr, '0.0.0.0');
  assert.equal((await home.say({ type: request, mac: b, requested: address }))?.type, nak);
  assert.equal((await home.say({ type: request, mac: b, ciaddr: address }))?.type, nak);
  assert.equal((await home.say({ type: request, mac: b, requested: address, server }))?.type, nak);
  assert.equal((await home.say({ type: request, mac: b, requested: server, server }))?.type, nak, 'our own address');
});

test('a client that took another server’s offer gives ours back', async () => {
  const home = new TestServer([{ ...homeNetwork, ranges: [{ first: '10.0.0.10', last: '10.0.0.10' }] }]);
  assert.equal((await home.say({ type: discover, mac: a }))?.type, offer);
  assert.equal(await home.say({ type: discover, mac: b }), undefined, 'the only address is offered');
  assert.equal(await home.say({ type: request, mac: a, requested: '10.0.0.99', server: '10.0.0.2' }), undefined);
  assert.equal((await home.say({ type: discover, mac: b }))?.type, offer);
});

test('an authoritative server takes over leases it does not know; another keeps silent', async () => {
  const home = new TestServer();
  assert.equal((await home.say({ type: request, mac: a, ciaddr: '10.0.0.12' }))?.type, ack);
  const shy = new TestServer([{ ...homeNetwork, authoritative: false }]);
  assert.equal(await shy.say({ type: request, mac: a, requested: '10.0.0.12' }), undefined);
  assert.equal((await shy.say({ type: request, mac: a, requested: '172.16.0.1' }))?.type, nak);
});

test('a full pool: silence, counted; RELEASE and expiry free an address; its last client gets it first', async () => {
  const home = new TestServer();
  const addresses = new Set<string | undefined>();
  for (let i = 0; i < 5; i += 1) addresses.add(await home.lease(macOf(i)));
  assert.equal(addresses.size, 5);
  assert.equal(await home.say({ type: discover, mac: macOf(5) }), undefined);
  assert.equal(home.exchange.counters.poolExhausted, 1);
  const own = [...addresses][2] ?? '';
  await home.say({ type: release, mac: macOf(2), ciaddr: own, server });
  assert.equal((await home.say({ type: discover, mac: macOf(2) }))?.yiaddr, own, 'remembered');
  home.now += 60_000;
  assert.equal(await home.lease(macOf(5)), own, 'free for another when its last client does not come');
  home.now += 90_000_000;
  assert.ok(await home.lease(macOf(6)), 'expired leases are free');
});

test('RELEASE of somebody else’s lease changes nothing', async () => {
  const home = new TestServer();
  const address = (await home.lease(a)) ?? '';
  await home.say({ type: release, mac: b, ciaddr: address, server });
  await home.say({ type: release, mac: a, ciaddr: address, server: '10.0.0.2' });
  assert.equal(home.leases.at('work', address)?.state, 'bound');
  await home.say({ type: release, mac: a, ciaddr: address });
  assert.equal(home.leases.at('work', address)?.state, 'released', 'systemd-networkd leaves option 54 out');
});

test('DECLINE puts the address aside for the quarantine, and only its client can', async () => {
  const home = new TestServer();
  const address = (await home.lease(a)) ?? '';
  await home.say({ type: decline, mac: b, requested: address, server });
  assert.equal(home.leases.at('work', address)?.state, 'bound');
  await home.say({ type: decline, mac: a, requested: address, server });
  assert.equal(home.leases.at('work', address)?.state, 'declined');
  assert.deepEqual(home.committed.at(-1), `declined ${address}`);
  const next = await home.say({ type: discover, mac: a, requested: address });
  assert.notEqual(next?.yiaddr, address);
  home.now += 3_700_000;
  assert.equal((await home.say({ type: discover, mac: b, requested: address }))?.yiaddr, address);
});

test('INFORM: everything but an address; never sent outside of the network', async () => {
  const home = new TestServer();
  const reply = await home.say({ type: inform, mac: a, ciaddr: '10.0.0.200' });
  assert.equal(reply?.type, ack);
  assert.equal(reply?.yiaddr, '0.0.0.0');
  assert.equal(reply?.options.get(option.leaseTime), undefined);
  assert.ok(reply?.options.get(option.domainNameServer));
  assert.equal(await home.say({ type: inform, mac: a, ciaddr: '192.0.2.1' }), undefined);
  assert.equal(await home.say({ type: inform, mac: a }), undefined);
});

test('reservations: by MAC whatever the client identifier, by client identifier; nobody else gets the address', async () => {
  const reservations = [
    { mac: a, address: '10.0.0.50', hostname: 'printer' },
    { clientId: 'ff01020304', address: '10.0.0.11' },
  ];
  const home = new TestServer([{ ...homeNetwork, reservations }]);
  const pxe = [[option.clientIdentifier, fromHex('00aabbcc')] as const];
  assert.equal(await home.lease(a), '10.0.0.50');
  assert.equal(await home.lease(a, pxe), '10.0.0.50');
  assert.equal(await home.lease(b, [[option.clientIdentifier, fromHex('ff01020304')]]), '10.0.0.11');
  assert.equal((await home.say({ type: request, mac: macOf(9), requested: '10.0.0.11' }))?.type, nak);
  assert.equal(home.leases.at('work', '10.0.0.50')?.hostname, 'printer');
});

test('a new reservation moves its client at the next renewal', async () => {
  const home = new TestServer();
  const before = (await home.lease(a)) ?? '';
  home.configure([{ ...homeNetwork, reservations: [{ mac: a, address: '10.0.0.77' }] }]);
  assert.equal((await home.say({ type: request, mac: a, ciaddr: before }))?.type, nak);
  assert.equal(await home.lease(a), '10.0.0.77');
  assert.equal(home.leases.at('work', before)?.state, 'released');
});

test('option 61 and option 82 come back as they were sent; option 82 behind everything', async () => {
  const home = new TestServer([{ ...homeNetwork, relays: ['10.0.0.2'] }]);
  const id = fromHex('ff00fe80deadbeef00');
  const relay = fromHex('0104deadbeef0206020000000001');
  const reply = await home.say({
    ...{ type: discover, mac: a, giaddr: '10.0.0.2' },
    options: [
      [option.clientIdentifier, id],
      [option.relayAgentInformation, relay],
    ],
  });
  assert.deepEqual(reply?.options.get(option.clientIdentifier), id);
  assert.ok(hex(reply?.octets ?? new Uint8Array()).includes(`520e${hex(relay)}ff`));
  assert.deepEqual(reply?.to, { kind: 'datagram', address: '10.0.0.2', port: 'server' });
});

test('a relay that says which link it means (RFC 3527), among those that it is believed for', async () => {
  const far = (zone: string, start: string, relays: readonly string[]) => ({
    ...{ ...homeNetwork, zone, prefix: `${start}.0/24`, relays, router: `${start}.1` },
    ranges: [{ first: `${start}.10`, last: `${start}.19` }],
  });
  const networks = [homeNetwork, far('near', '10.8.0', ['10.8.0.1']), far('far', '10.9.0', ['10.8.0.1'])];
  const home = new TestServer([...networks, far('other', '10.10.0', ['10.10.0.1'])]);
  const asked = async (subOptions: string) => {
    const options: RawOption[] = [[option.relayAgentInformation, fromHex(subOptions)]];
    return (await home.say({ type: discover, mac: a, giaddr: '10.8.0.1', options }))?.yiaddr;
  };
  assert.match((await asked('0102abcd')) ?? '', /^10\.8\.0\.1\d$/);
  assert.match((await asked('0102abcd05040a090005')) ?? '', /^10\.9\.0\.1\d$/);
  assert.equal(await asked('05040a0a0005'), undefined, 'a link of another relay');
  for (const mangled of ['05', '0503010203', '0504', '01ff05040a090005'])
    assert.match((await asked(mangled)) ?? '', /^10\.8\./);
});

test('relays: only those of the configuration, only on their interface; renewals come past them', async () => {
  const far = { ...homeNetwork, zone: 'far', prefix: '10.9.0.0/24', relays: ['10.9.0.1'], router: '10.9.0.1' };
  const ranges = [{ first: '10.9.0.10', last: '10.9.0.19' }];
  const kids = { ...homeNetwork, zone: 'kids', interface: 'lan1', address: '10.1.0.1', prefix: '10.1.0.0/24' };
  const home = new TestServer([
    homeNetwork,
    { ...far, ranges },
    { ...kids, ranges: [{ first: '10.1.0.5', last: '10.1.0.9' }] },
  ]);
  const offered = await home.say({ type: discover, mac: a, giaddr: '10.9.0.1' });
  assert.match(offered?.yiaddr ?? '', /^10\.9\.0\.1\d$/);
  assert.equal(u32(offered?.options.get(option.router)), 0x0a090001);
  assert.equal(await home.say({ type: discover, mac: a, giaddr: '10.9.0.2' }), undefined, 'an unknown relay');
  assert.equal(await home.say({ type: discover, mac: a, giaddr: '10.9.0.1' }, 'lan1'), undefined, 'another zone');
  const far1 = offered?.yiaddr ?? '';
  await home.say({ type: request, mac: a, giaddr: '10.9.0.1', requested: far1, server });
  const renewed = await home.say({ type: request, mac: a, ciaddr: far1 });
  assert.equal(renewed?.type, ack, 'renewal straight to us');
  assert.deepEqual(renewed?.to, { kind: 'datagram', address: far1, port: 'client' });
  assert.match((await home.say({ type: discover, mac: a }, 'lan1'))?.yiaddr ?? '', /^10\.1\.0\./);
  assert.equal(await home.say({ type: discover, mac: a }, 'wan0'), undefined, 'nobody answers on the wild side');
});

test('what was asked for is sent, what was not is not', async () => {
  const network = {
    ...homeNetwork,
    ...{
      mtu: 1400,
      searchDomains: ['corp.example'],
      captivePortal: 'https://moat.home.arpa/why',
      ipv6OnlySeconds: 1800,
    },
    routes: [{ prefix: '192.168.0.0/17', router: '10.0.0.2' }],
    boot: { nextServer: '10.0.0.3', serverName: 'tftp', file: 'boot.efi' },
    options: [
      { code: 43, hex: '0102', always: true },
      { code: 150, addresses: ['10.0.0.4'] },
    ],
  };
  const home = new TestServer([network]);
  const list = Uint8Array.of(121, 26, 119, 114, 108, 66, 67, 150, 42, 249, 15, 3);
  const all = await home.say({ type: discover, mac: a, options: [[option.parameterRequestList, list]] });
  const value = (code: number) => hex(all?.options.get(code) ?? Uint8Array.of());
  // RFC 3442: the default route is in 121 too, who reads it ignores option 3
  assert.equal(value(121), '11c0a8000a000002000a000001');
  assert.equal(value(249), value(121));
  assert.equal(value(26), '0578');
  assert.equal(value(119), '04686f6d650461727061000463' + '6f7270076578616d706c6500');
  assert.equal(value(108), '00000708');
  assert.equal(value(150), '0a000004');
  assert.equal(value(43), '0102', 'always');
  assert.equal(Buffer.from(all?.options.get(114) ?? []).toString(), 'https://moat.home.arpa/why');
  assert.equal(Buffer.from(all?.options.get(67) ?? []).toString(), 'boot.efi');
  assert.equal(hex(all?.octets.subarray(20, 24) ?? Uint8Array.of()), '0a000003', 'siaddr');
  const little = await home.say({ type: discover, mac: a, options: [[option.parameterRequestList, Uint8Array.of(3)]] });
  assert.deepEqual(
    [...(little?.options.keys() ?? [])].sort((x, y) => x - y),
    [1, 3, 43, 51, 53, 54, 58, 59],
  );
});

test('the client may ask for another lease time, within bounds (option 51)', async () => {
  const home = new TestServer();
  const asked = async (seconds: string) => {
    const reply = await home.say({ type: discover, mac: a, options: [[option.leaseTime, fromHex(seconds)]] });
    return u32(reply?.options.get(option.leaseTime));
  };
  assert.equal(await asked('00000e10'), 3600);
  assert.equal(await asked('00000000'), 120);
  assert.equal(await asked('ffffffff'), 604_800);
});

test('host names: cleaned, one holder each, option 81 answered (RFC 4702)', async () => {
  const home = new TestServer();
  const named = (name: string) => [[option.hostName, new TextEncoder().encode(name)] as const];
  const first = (await home.lease(a, named('Anna’s MacBook.local'))) ?? '';
  assert.equal(home.leases.at('work', first)?.hostname, 'annas-macbook');
  const second = (await home.lease(b, named('annas-macbook'))) ?? '';
  assert.equal(home.leases.at('work', second)?.hostname, 'annas-macbook-000b');
  const fqdn = new Uint8Array([4, 0, 0, 3, 0x66, 0x6f, 0x6f, 3, 0x62, 0x61, 0x72, 0]);
  const reply = await home.say({ type: discover, mac: macOf(3), options: [[option.clientFqdn, fqdn]] });
  assert.equal(hex(reply?.options.get(81) ?? Uint8Array.of()), '07ffff03666f6f04686f6d65046172706100');
});

test('a network given up keeps its leases until they end: the configuration may come back', async () => {
  const home = new TestServer();
  const address = (await home.lease(a)) ?? '';
  home.configure([]);
  assert.equal(await home.say({ type: request, mac: a, ciaddr: address }), undefined);
  home.configure([homeNetwork]);
  assert.equal((await home.say({ type: request, mac: a, ciaddr: address }))?.type, ack);
});

test('one client is limited without harm to the others; garbage is counted', async () => {
  const home = new TestServer();
  for (let i = 0; i < 100; i += 1) await home.say({ type: inform, mac: a, ciaddr: '10.0.0.12' });
  assert.equal(home.sent.length, 20);
  assert.equal(home.exchange.counters.limited, 80);
  assert.ok(await home.lease(b));
  home.exchange.receive('lan0', clientMessage({ type: 1 }).subarray(0, 100), home.now);
  assert.equal(home.exchange.counters.malformedOctets, 1);
});
