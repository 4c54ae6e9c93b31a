import assert from 'node:assert/strict';
import { test } from 'node:test';
import { zonesSchema } from '../config/zones.ts';
import { type Link, placeZones } from '../host/interfaces.ts';
import { parsePrefix } from '../lib/ip.ts';
import { wanOf } from './wan.ts';

const wild = { name: 'wild', kind: 'wild', interface: 'wan' } as const;
const work = { name: 'work', kind: 'work', interface: 'lan', addresses: ['10.77.1.1/24'] } as const;
const second = { name: 'mobile', kind: 'wild', interface: 'lte' } as const;
const address = { address: '192.0.2.7', network: parsePrefix('192.0.2.0/24'), scope: 'global' } as const;
const port = (name: string, changes: Partial<Link> = {}): Link => {
  const rest = { mac: '', up: true, carrier: true, ethernet: true, made: false, mtu: 1500, addresses: [address] };
  return { name, ...rest, ...changes };
};

const cases: [string, readonly object[], readonly Link[], boolean, string, RegExp | null][] = [
  ['all is well', [wild, work], [port('wan'), port('lan')], true, 'up', null],
  ['no tunnel yet', [wild, work], [port('wan'), port('lan')], false, 'unknown', null],
  [
    'no cable, though the tunnel does not know',
    [wild, work],
    [port('wan', { carrier: false })],
    true,
    'down',
    /Nothing is connected .*wan/,
  ],
  ['switched off', [wild], [port('wan', { up: false })], false, 'down', /Nothing is connected/],
  ['no address', [wild], [port('wan', { addresses: [{ ...address, scope: 'link' }] })], false, 'down', /no address/],
  ['no port', [wild], [port('lan')], false, 'down', /no port/],
  ['one of two ways', [wild, second], [port('wan', { carrier: false }), port('lte')], false, 'unknown', null],
  [
    'neither of two ways',
    [wild, second],
    [port('wan', { carrier: false }), port('lte', { up: false })],
    true,
    'down',
    /wan/,
  ],
  ["zones are somebody else's business", [], [], false, 'unknown', null],
];

for (const [name, zones, links, tunnelUp, state, sentence] of cases) {
  test(`the way to the internet: ${name}`, () => {
    const parsed = zonesSchema.parse(zones);
    const wan = wanOf(parsed, { links, placement: placeZones(parsed, links) }, tunnelUp);
    assert.equal(wan.state, state);
    if (sentence) assert.match(wan.sentence ?? '', sentence);
    else assert.equal(wan.sentence, null);
  });
}
