import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parsePrefix } from '../../lib/ip.ts';
import { AnswerCache } from './forward/cache.ts';
import type { Route } from './forward/state.ts';
import { answerWaiters, Front, type Outcome, type Waiter } from './front.ts';
import { type LeaseName, lanZones, parseLeases, reverseOrigins } from './local/lan-names.ts';
import { specialZones } from './local/special.ts';
import { closedWay, parseStatus, whyZone } from './local/why.ts';
import type { Served, Tables } from './resolve.ts';
import { ask, record, zoneOf } from './testing.ts';
import { compile } from './wire/compiled.ts';
import { decodeMessage } from './wire/message.ts';
import { nameFromText, nameToText } from './wire/name.ts';
import { Flag, Rcode, Type } from './wire/numbers.ts';

const corp = zoneOf('corp.example', 1, [
  record('www.corp.example', 'A', '10.0.0.1'),
  record('out.corp.example', 'CNAME', 'www.public.example'),
  record('lan.corp.example', 'CNAME', 'printer.home.arpa'),
  record('sub.corp.example', 'NS', 'ns.sub.corp.example'),
]);
const lan = {
  domain: nameFromText('home.arpa'),
  reverse: [parsePrefix('192.168.77.0/24')],
  hosts: [{ name: 'box', addresses: ['192.168.77.1'] }],
  leases: [{ address: '192.168.77.9', hostname: 'printer', expiresAt: 2 }],
};

function tables(routes: readonly string[] = ['.'], served: Partial<Served> = {}): Tables {
  const zones = new Map<string, Served>();
  for (const zone of [...specialZones(), ...lanZones(lan), whyZone(parseStatus({ sentence: 'All is well.' }))]) {
    zones.set(zone.origin, { zone, stale: undefined });
  }
  zones.set(corp.origin, { zone: corp, stale: undefined, ...served });
  const servers = [{ address: '192.0.2.1', port: 53 }];
  const all = routes.map(
    (text) => [nameFromText(text), { domain: nameFromText(text), servers, via: 'wan' as const }] as const,
  );
  return { zones, routes: new Map(all), lanDomain: lan.domain };
}

function front(with_ = tables()): Front {
  return new Front(new AnswerCache(1_000_000), with_);
}

/** `STATUS owner TYPE..., ...` of an answer, or where the question goes. */
function say(outcome: Outcome): string {
  if (outcome.kind === 'forward') return `forward ${nameToText(outcome.key.slice(0, -3))}`;
  if (outcome.kind !== 'answer') return outcome.kind;
  const message = decodeMessage(outcome.bytes);
  const status = Object.entries(Rcode).find(([, value]) => value === (message.flags & 15))?.[0];
  return [status, ...message.answers.map(({ owner }) => nameToText(owner))].join(' ');
}

const handle = (
  name: string,
  type: keyof typeof Type = 'A',
  options: Parameters<typeof ask>[2] = {},
  with_ = tables(),
) => say(front(with_).handle(ask(name, Type[type], options), false, 0));

test('who answers which name', () => {
  const cases: [string, keyof typeof Type, string][] = [
    ['www.corp.example', 'A', 'NOERROR www.corp.example.'],
    ['nobody.corp.example', 'A', 'NXDOMAIN'],
    ['printer.home.arpa', 'A', 'NOERROR printer.home.arpa.'],
    ['printer', 'A', 'NOERROR printer. printer.home.arpa.'],
    ['box.home.arpa', 'A', 'NOERROR box.home.arpa.'],
    ['9.77.168.192.in-addr.arpa', 'PTR', 'NOERROR 9.77.168.192.in-addr.arpa.'],
    ['lan.corp.example', 'A', 'NOERROR lan.corp.example. printer.home.arpa.'],
    ['why.moat', 'TXT', 'NOERROR why.moat.'],
    ['www.public.example', 'A', 'forward www.public.example.'],
    ['out.corp.example', 'A', 'forward www.public.example.'],
    ['x.sub.corp.example', 'A', 'forward x.sub.corp.example.'],
    ['com', 'NS', 'forward com.'],
  ];
  for (const [name, type, expected] of cases) assert.equal(handle(name, type), expected, `${name} ${type}`);
});

test('special names never leave the house (RFC 6761, 6303, 7686, 8375)', () => {
  const names = [
    'x.test',
    'x.onion',
    'x.local',
    'x.invalid',
    'x.home.arpa',
    'nas',
    'x.internal',
    'use-application-dns.net',
  ];
  for (const name of names) assert.match(handle(name), /^(NXDOMAIN|NOERROR)$/, name);
  for (const name of [
    '1.0.0.10',
    '1.1.16.172',
    '1.31.172',
    '1.1.168.192',
    '1.1.64.100',
    '1.254.169',
    '255.255.255.255',
    '1.0.0.127',
  ]) {
    assert.match(handle(`${name}.in-addr.arpa`, 'PTR'), /^(NXDOMAIN|NOERROR)/, name);
  }
  assert.match(handle(`1.0.0.0.8.e.f.ip6.arpa`, 'PTR'), /^NXDOMAIN/);
  assert.equal(handle('a.localhost'), 'NOERROR a.localhost.');
  assert.equal(handle('1.32.172.in-addr.arpa', 'PTR'), 'forward 1.32.172.in-addr.arpa.', 'public address space');
});

test('without recursion nobody is asked', () => {
  assert.match(handle('www.public.example', 'A', { flags: 0 }), /^REFUSED/);
  assert.equal(handle('x.sub.corp.example', 'A', { flags: 0 }), 'NOERROR');
  assert.equal(handle('out.corp.example', 'A', { flags: 0 }), 'NOERROR out.corp.example.');
});

test('a zone that has not arrived, one that has expired, one that may not be served then', () => {
  const edns = { edns: { udpOctets: 1232 } };
  const answer = (served: Partial<Served>) => {
    const outcome = front(tables([], served)).handle(ask('www.corp.example', 1, edns), false, 0);
    return outcome.kind === 'answer' ? decodeMessage(outcome.bytes) : assert.fail();
  };
  assert.equal(answer({ zone: undefined }).edns?.ede?.code, 14);
  const stale = answer({ stale: { code: 3, text: 'gone' } });
  assert.equal(stale.answers[0]?.ttl, 30);
  assert.equal(stale.flags & Flag.AA, 0, 'no authority any more');
  assert.deepEqual(stale.edns?.ede, { code: 3, text: 'gone' });
  const refused = answer({ zone: undefined, stale: { code: 3, text: 'gone' } });
  assert.equal(refused.flags & 15, Rcode.SERVFAIL);
});

test("the company's names are not asked of public resolvers while its zone is not here", () => {
  const name = ask('www.corp.example', Type.A);
  const absent = tables(['.'], { zone: undefined });
  assert.equal(say(front(absent).handle(name, false, 0)), 'SERVFAIL');
  const [[origin, route]] = [...absent.routes] as [[string, Route]];
  const through = { ...absent, routes: new Map([[origin, { ...route, via: 'tunnel' as const }]]) };
  assert.equal(say(front(through).handle(name, false, 0)), 'forward www.corp.example.');
});

test('transfers, other classes and other versions are refused', () => {
  assert.match(handle('corp.example', 'AXFR'), /^REFUSED/);
  const chaos = ask('version.bind', Type.TXT);
  chaos.writeUInt16BE(3, chaos.length - 2);
  assert.equal(say(front().handle(chaos, false, 0)), 'REFUSED');
  const version = ask('a.test', 1, { edns: { udpOctets: 1232 } });
  version[version.length - 5] = 1;
  const outcome = front().handle(version, false, 0);
  assert.ok(outcome.kind === 'answer');
  assert.equal(decodeMessage(outcome.bytes).edns?.extendedRcode, 1);
});

test('an alias of ours and the answer from outside become one answer', () => {
  const outcome = front().handle(ask('out.corp.example', 1), false, 0);
  assert.ok(outcome.kind === 'forward');
  const answers = [record('www.public.example', 'A', '203.0.113.1')];
  const compiled = compile(outcome.key, { rcode: 0, flags: 0, answers, authorities: [], additionals: [] });
  const replies: Buffer[] = [];
  const waiter: Waiter = {
    query: outcome.query,
    prefix: outcome.prefix,
    limit: outcome.limit,
    reply: (bytes) => replies.push(bytes),
  };
  answerWaiters({ kind: 'answer', waiters: [waiter], key: outcome.key, compiled, stale: false });
  const owners = decodeMessage(replies[0] ?? Buffer.alloc(0)).answers.map(({ owner }) => nameToText(owner));
  assert.deepEqual(owners, ['out.corp.example.', 'www.public.example.']);
});

test('a new zone is answered from at once', () => {
  const server = front();
  const question = ask('www.corp.example', 1);
  assert.equal(say(server.handle(question, false, 0)), 'NOERROR www.corp.example.');
  server.replaceTables(tables(['.'], { zone: zoneOf('corp.example', 2, []) }));
  assert.equal(say(server.handle(question, false, 0)), 'NXDOMAIN');
});

test('hostile datagrams: never a throw, never an answer much larger than the question without EDNS', () => {
  const server = front();
  const question = ask('www.corp.example', Type.ANY, { edns: { udpOctets: 4096 } });
  const mutation = fc.array(fc.tuple(fc.nat(question.length - 1), fc.nat(255)), { minLength: 1, maxLength: 8 });
  const mutated = mutation.map((changes) => {
    const bytes = Buffer.from(question);
    for (const [at, value] of changes) bytes[at] = value;
    return bytes;
  });
  fc.assert(
    fc.property(
      fc.oneof(
        mutated,
        fc.uint8Array({ maxLength: 600 }).map((octets) => Buffer.from(octets)),
      ),
      (bytes) => {
        const outcome = server.handle(bytes, false, 0);
        if (outcome.kind === 'answer') assert.ok(outcome.bytes.length <= 1232);
      },
    ),
    { numRuns: 3000 },
  );
});

test('leases: hostile names stay out, the configuration wins, the longest lease has a name', () => {
  const lease = (address: string, hostname: string, expiresAt = 1): LeaseName => ({ address, hostname, expiresAt });
  const leases = [
    lease('192.168.77.20', 'Phone'),
    lease('192.168.77.21', 'phone', 5),
    lease('192.168.77.22', 'box'),
    lease('192.168.77.23', 'wpad'),
    lease('192.168.77.24', 'a.b'),
    lease('192.168.77.25', 'bad name'),
    lease('192.168.77.26', ''),
    lease('203.0.113.9', 'elsewhere'),
    lease('nonsense', 'x'),
  ];
  const [zone, reverse] = lanZones({ ...lan, leases });
  const names = [...(zone?.nodes.keys() ?? [])].map(nameToText).sort();
  assert.deepEqual(names, ['a.home.arpa.', 'box.home.arpa.', 'home.arpa.', 'phone.home.arpa.']);
  assert.ok(zone?.nodes.get(nameFromText('phone.home.arpa'))?.endsWith('\x4d\x15'));
  assert.ok(reverse?.nodes.has(nameFromText('21.77.168.192.in-addr.arpa')));
  assert.ok(!reverse?.nodes.has(nameFromText('20.77.168.192.in-addr.arpa')));
  assert.deepEqual(parseLeases([{ address: '1.2.3.4', hostname: 'x', mac: 'y' }, 5, null, { address: 1 }]), [
    lease('1.2.3.4', 'x', 0),
  ]);
  assert.deepEqual(parseLeases('nonsense'), []);
});

test('reverse zones of networks that end within an octet', () => {
  const origins = (text: string) => reverseOrigins(parsePrefix(text)).map(nameToText);
  assert.deepEqual(origins('10.0.0.0/8'), ['10.in-addr.arpa.']);
  assert.deepEqual(origins('192.168.76.0/23'), ['76.168.192.in-addr.arpa.', '77.168.192.in-addr.arpa.']);
  assert.deepEqual(origins('192.168.77.64/26'), ['77.168.192.in-addr.arpa.']);
  assert.deepEqual(origins('fd77:1::/32'), ['1.0.0.0.7.7.d.f.ip6.arpa.']);
});

test('a status closes ways, and nonsense closes none', () => {
  const down = parseStatus({ sentence: 'No tunnel.', wan: 'up', tunnel: 'down' });
  assert.equal(closedWay(down, 'tunnel'), 'No tunnel.');
  assert.equal(closedWay(down, 'wan'), undefined);
  assert.equal(closedWay(parseStatus({ sentence: 'No provider.', wan: 'down' }), 'tunnel'), 'No provider.');
  for (const value of [undefined, 5, {}, { sentence: 5, wan: 'down' }])
    assert.equal(closedWay(parseStatus(value), 'wan'), undefined);
});
