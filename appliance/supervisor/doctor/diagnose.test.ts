import assert from 'node:assert/strict';
import { test } from 'node:test';
import { diagnose } from './diagnose.ts';
import { clockProblem } from './examine.ts';
import type { Facts, Layer } from './facts.ts';

const well: Facts = {
  configuration: { problem: null, inForce: true },
  box: { tunnelProblem: null, serviceProblems: [] },
  wild: { device: 'wan', present: true, up: true, carrier: true, addresses: ['192.168.178.20'] },
  router: { gateway: '192.168.178.1', reachable: true },
  path: {
    portal: '198.51.100.10',
    echo: { sent: 40, received: 40 },
    routerEcho: { sent: 40, received: 40 },
    hops: ['192.168.178.1', '203.0.113.1'],
    refused: false,
    tcp: 'silent',
    http: null,
    largestEcho: 1500,
  },
  tunnel: {
    peer: 'office',
    up: true,
    failure: null,
    problem: null,
    natLocal: true,
    natRemote: false,
    packetsIn: 6,
    packetsOut: 6,
    lossPercent: 0,
  },
  inside: [{ target: '10.1.0.10', small: true, large: true, unreachableFrom: null }],
  resolvers: [{ server: '192.168.178.1:53', via: 'wan', answers: true }],
  disk: { problem: null, freePercent: 50 },
  clockProblem: null,
  lan: [{ zone: 'work', device: 'lan', carrier: true }],
  overlaps: [],
  mappings: [],
};

type Change = { readonly [Part in keyof Facts]?: Partial<Facts[Part]> };

function facts(change: Change): Facts {
  const parts = Object.entries(change).map(([name, part]) => {
    const old = well[name as keyof Facts];
    return [
      name,
      Array.isArray(part) || typeof part !== 'object' || part === null ? part : { ...(old as object), ...part },
    ];
  });
  return { ...well, ...Object.fromEntries(parts) };
}

const down = { up: false, failure: 'noAnswer', problem: 'office does not answer.', packetsIn: 0 } as const;
const deaf = { echo: { sent: 40, received: 0 }, largestEcho: null };
const silent = [{ target: '10.1.0.10', small: false, large: false, unreachableFrom: null }];

/** What is broken, whom the sentence must blame, and a word that must be in it. */
const faults: readonly [string, Change, Layer, RegExp][] = [
  ['nothing', {}, 'none', /Everything works: the tunnel to office is up, and 10\.1\.0\.10 answers/],
  ['refused', { configuration: { problem: 'It is refused.', inForce: false } }, 'configuration', /refused/],
  ['no TUN device', { box: { tunnelProblem: 'There is no /dev/net/tun.' }, tunnel: down, path: deaf }, 'box', /tun/],
  ['the port is gone', { wild: { present: false, carrier: false }, tunnel: down }, 'link', /no port wan/],
  [
    'no cable',
    { wild: { carrier: false }, tunnel: down, path: deaf, router: { reachable: false } },
    'link',
    /No cable/,
  ],
  ['no lease', { wild: { addresses: [] }, tunnel: down, router: { gateway: null } }, 'address', /no address/],
  ['no route', { router: { gateway: null }, tunnel: down, path: { ...deaf, hops: [] } }, 'router', /no router towards/],
  [
    'router off',
    { router: { reachable: false }, tunnel: down, path: { ...deaf, hops: [] } },
    'router',
    /178\.1\) does not/,
  ],
  ['captive', { path: { http: 'HTTP 302 to http://login/' }, tunnel: down }, 'provider', /log in on a web page/],
  ['ISP dead', { path: { ...deaf, hops: ['192.168.178.1'] }, tunnel: down }, 'provider', /nothing behind it/],
  ['loss', { path: { echo: { sent: 40, received: 36 } } }, 'provider', /loses 10 %/],
  ['ESP loss', { tunnel: { lossPercent: 8 } }, 'provider', /loses 8 %/],
  ['a bad cable', { path: { routerEcho: { sent: 40, received: 30 } } }, 'link', /25 % .* router/],
  ['so much loss that IKE fails', { path: { routerEcho: { sent: 40, received: 30 } }, tunnel: down }, 'link', /25 %/],
  ['UDP eaten', { tunnel: down }, 'udp', /eats UDP 500 and 4500/],
  ['no IKE there', { path: { refused: true }, tunnel: down }, 'portal', /no IKE runs/],
  ['portal down', { path: deaf, tunnel: down }, 'portal', /as far as 203\.0\.113\.1/],
  [
    'wrong key',
    { tunnel: { ...down, failure: 'authenticationFailed', problem: 'Not our key.' }, path: deaf },
    'ike',
    /key/,
  ],
  ['large eaten', { inside: [{ ...silent[0], small: true }] as Facts['inside'] }, 'pathMtu', /large ones do not/],
  ['ESP eaten', { tunnel: { packetsIn: 0 }, inside: silent }, 'esp', /nothing comes out of the tunnel/],
  [
    'host down',
    { inside: [{ ...silent[0], unreachableFrom: '10.1.0.1' }] as Facts['inside'] },
    'inside',
    /says 10\.1\.0\.1/,
  ],
  [
    'ISP DNS',
    { resolvers: [{ server: '192.168.178.1:53', via: 'wan', answers: false }] },
    'dns',
    /the provider's name/,
  ],
  [
    'their DNS',
    { resolvers: [{ server: '10.1.0.53:53', via: 'tunnel', answers: false }] },
    'dns',
    /the company's name/,
  ],
  ['disk', { disk: { problem: 'The disk of the box is full.' } }, 'disk', /full/],
  ['clock', { clockProblem: 'The clock of the box is wrong.' } as Change, 'clock', /clock/],
  ['a service', { box: { serviceProblems: ['The dns service keeps ending.'] } }, 'box', /dns/],
  ['LAN cable', { lan: [{ zone: 'work', device: 'lan', carrier: false }] }, 'lan', /zone work/],
  ['overlap', { overlaps: ['The network overlaps.'] }, 'lan', /overlaps/],
];

for (const [name, change, layer, words] of faults) {
  test(`diagnosis: ${name}`, () => {
    const diagnosis = diagnose(facts(change));
    assert.equal(diagnosis.layer, layer, diagnosis.sentence);
    assert.match(diagnosis.sentence, words);
  });
}

test('two faults that have nothing to do with each other are both said', () => {
  const { layer, further } = diagnose(facts({ path: deaf, tunnel: down, disk: { problem: 'The disk is full.' } }));
  assert.deepEqual([layer, further.map((finding) => finding.layer)], ['portal', ['disk']]);
});

test('a clock is judged by when the program was made', () => {
  const built = Date.UTC(2026, 10, 22);
  assert.equal(clockProblem(built + 1000, built), null);
  assert.match(clockProblem(0, built) ?? '', /1970-01-01T00:00/);
  assert.notEqual(clockProblem(Date.UTC(2040, 0), built), null);
});
