import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ConfigError } from '../../appliance/config/problems.ts';
import { afterCheck, isFull, isOfService, isWorthSalvaging } from './data.ts';
import { addressesWild, assignSides, networkFiles, type Port, renames } from './ports.ts';
import { judgeWork } from './probe.ts';
import { parseSeed } from './seed.ts';

const port = (name: string, slot: number): Port => ({
  name,
  address: `02:00:00:00:00:0${slot}`,
  path: `../../devices/pci0000:00/0000:00:0${slot}.0`,
});
const text = `
role = "home"
name = "home-1"
[identity]
id = "home-1.moat.example"
[tunnel]
networks = ["10.77.1.0/24", "fd77:1::/64"]
sourceAddresses = ["10.77.1.1", "fd77:1::1"]
[[peers]]
name = "portal"
addresses = ["198.51.100.10"]
id = "portal.moat.example"
publicKey = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
networks = ["10.1.0.0/16"]
`;

test('e2fsck says what to do next', () => {
  assert.equal(afterCheck(0, false), 'mount');
  assert.equal(afterCheck(1, false), 'mountRepaired');
  assert.equal(afterCheck(4, false), 'repair');
  assert.equal(afterCheck(4, true), 'restore');
  assert.equal(afterCheck(8, true), 'restore');
  assert.equal(afterCheck(127, false), 'repair');
});

test('a partition without room for a lease file is full', () => {
  assert.ok(isFull({ freeOctets: 0, freeNodes: 9999 }));
  assert.ok(isFull({ freeOctets: 1e9, freeNodes: 3 }));
  assert.ok(!isFull({ freeOctets: 1e8, freeNodes: 9999 }));
});

test('what is carried over a restore can be read', () => {
  const bytes = (content: string) => new TextEncoder().encode(content);
  assert.ok(isWorthSalvaging('state/leases.json', bytes('{}')));
  assert.ok(!isWorthSalvaging('state/leases.json', bytes('{"a":')));
  assert.ok(isWorthSalvaging('state/dhcp/leases.journal', bytes('torn')));
  assert.ok(!isWorthSalvaging('state/dhcp/leases.journal', bytes('')));
  for (const name of [
    'state/why.json',
    'vault.rec',
    'state/dhcp/leases.journal',
    'state/dns/corp.example.zone',
    'ssh/host_key',
  ])
    assert.ok(isOfService(name), name);
  for (const name of ['filler', 'state/dns/.compiled/v24/0a1b', 'ssh/a b']) assert.ok(!isOfService(name), name);
});

test('the first port by where it sits is wild, and stays so when drivers load in another order', () => {
  const sides = assignSides([port('eth1', 2), port('eth0', 3)], null);
  assert.deepEqual(sides, { wild: '02:00:00:00:00:02', work: '02:00:00:00:00:03' });
  assert.deepEqual(assignSides([port('eth0', 2), port('eth1', 3)], sides), sides);
  // A new board in place of the old one: both ports are others.
  assert.deepEqual(assignSides([port('eth0', 5), port('eth1', 4)], sides)?.wild, '02:00:00:00:00:04');
  assert.equal(assignSides([port('eth0', 2)], null), null);
  assert.deepEqual(
    renames([port('eth1', 2), port('eth0', 3)], { wild: '02:00:00:00:00:02', work: '02:00:00:00:00:03' }),
    [
      ['link', 'set', 'eth1', 'name', 'wild0x'],
      ['link', 'set', 'eth0', 'name', 'work0x'],
      ['link', 'set', 'wild0x', 'name', 'wild0'],
      ['link', 'set', 'work0x', 'name', 'work0'],
    ],
  );
});

test('moat.toml becomes a configuration with our key and the addresses of the LAN port', () => {
  const seed = parseSeed(text);
  assert.deepEqual(seed.lanAddresses, ['10.77.1.1/24', 'fd77:1::1/64']);
  assert.deepEqual(seed.config?.identity, { privateKeyFile: 'identity.key', id: 'home-1.moat.example' });
  assert.match(
    networkFiles({ lanAddresses: seed.lanAddresses, wildIsTaken: false })['20-work.network'] ?? '',
    /Address=10\.77\.1\.1\/24\nAddress=fd77:1::1\/64/,
  );
  assert.equal(seed.box.console, false);
  assert.ok(parseSeed(`${text}\n[box]\nconsole = true\n`).box.console);
});

test('networkd leaves the wild side to a supervisor that addresses it', () => {
  const wild = (zones: unknown) =>
    networkFiles({ lanAddresses: [], wildIsTaken: addressesWild({ zones }) })['10-wild.network'];
  assert.match(wild(undefined) ?? '', /DHCP=yes/);
  assert.match(wild([{ kind: 'wild' }, { kind: 'work', addressing: 'static' }]) ?? '', /DHCP=yes/);
  for (const addressing of ['dhcp', 'pppoe', 'static'])
    assert.match(wild([{ kind: 'wild', addressing }]) ?? '', /Unmanaged=yes/);
  assert.equal(addressesWild(null), false);
});

test('a box that enrols has a token instead of a configuration', () => {
  const part = (text: string | Uint8Array) => Buffer.from(text).toString('base64url');
  const token = `moat1.${part('https://portal.example:8443')}.${part(new Uint8Array(32))}.ABCD-EFGH`;
  const seed = parseSeed(`[enroll]\ntoken = "${token}"\n[box]\nconsole = true\n`);
  assert.deepEqual([seed.token, seed.config, seed.lanAddresses, seed.box.console], [token, null, [], true]);
  assert.throws(() => parseSeed('[enroll]\ntoken = "moat1.x"\n'), /enroll\.token/);
  assert.throws(() => parseSeed(`${text}\n[enroll]\ntoken = "${token}"\n`), /no other tables/);
  assert.equal(parseSeed(text).token, null);
});

test('a wrong line is named', () => {
  assert.throws(() => parseSeed('role = "home'), ConfigError);
  assert.throws(() => parseSeed(text.replace('198.51.100.10', '198.51.100.1000')), /peers\[0\]\.addresses/);
  assert.throws(() => parseSeed(`${text}\n[box]\nshell = true\n`), /shell: unknown field/);
});

test('the work probe says whose fault it is in one word', () => {
  const box = { probe: 'http://10.1.0.80/', probeFloor: 10_000, console: false, sshKeys: [] };
  const page = { status: 200, octets: 100_000, seconds: 1, error: '' };
  const reason = (facts: Parameters<typeof judgeWork>[0]) => {
    const work = judgeWork(facts, box);
    return work.ok ? 'ok' : work.reason;
  };
  const up = { state: 'up' as const, sentence: '', page, proofs: [] };
  assert.equal(reason(up), 'ok');
  assert.equal(reason({ ...up, state: null, page: null }), 'no-supervisor');
  assert.equal(reason({ ...up, state: 'connecting', sentence: 'Calling portal.', page: null }), 'no-tunnel');
  assert.equal(reason({ ...up, page: { ...page, error: 'ETIMEDOUT' } }), 'no-page');
  assert.equal(reason({ ...up, page: { ...page, status: 502 } }), 'no-page');
  assert.equal(reason({ ...up, page: { ...page, seconds: 20 } }), 'too-slow');
  const answered = { kind: 'ping' as const, ok: true, detail: '10.1.0.80 answers a ping of 1500 octets' };
  assert.equal(reason({ ...up, proofs: [answered] }), 'ok');
  assert.equal(reason({ ...up, proofs: [answered, { ...answered, ok: false }] }), 'no-ping');
  assert.equal(reason({ ...up, proofs: [{ kind: 'name', ok: false, detail: 'no answer' }] }), 'no-name');
});
