import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { parseConfig } from '../config/schema.ts';
import { firewallText } from './firewall.ts';

const peer = (name: string, networks: string[]) => ({
  name,
  id: name,
  addresses: ['198.51.100.10'],
  psk: 'sixteen letters!',
  networks,
});

const home = {
  role: 'home',
  name: 'home-1',
  identity: { id: 'home-1.example' },
  tunnel: { networks: ['10.77.1.0/24', 'fd77:1::/64'] },
  peers: [peer('portal', ['10.1.0.0/16', 'fd01:1::/64'])],
  zones: [
    { name: 'wild', kind: 'wild', interface: 'wan' },
    { name: 'work', kind: 'work', interface: 'lan', addresses: ['10.77.1.1/24', 'fd77:1::1/64'] },
    { name: 'kids', kind: 'kids', interface: 'kids', addresses: ['10.77.2.1/24', 'fd77:2::1/64'] },
  ],
};

const two = {
  ...home,
  tunnel: { networks: ['10.77.1.0/24', '10.77.3.0/24'] },
  peers: [peer('first', ['10.0.0.0/8']), peer('second', ['10.2.0.0/16', '0.0.0.0/0'])],
  zones: [
    { name: 'wild', kind: 'wild', interface: 'wan', listeners: ['ssh'] },
    { name: 'work', kind: 'work', interface: 'lan1', addresses: ['10.77.1.1/24'], peers: ['first'] },
    {
      name: 'work-2',
      kind: 'work',
      interface: 'lan2',
      addresses: ['10.77.3.1/24'],
      peers: ['second'],
      tunnelListeners: ['ping', 'ssh'],
    },
  ],
  groups: [{ name: 'printers', networks: ['10.77.1.64/28'], macs: ['02:00:00:AA:BB:CC'] }],
  policy: [
    { from: 'work', to: 'wild', destinations: ['203.0.113.0/24', '2001:db8::/32'], protocol: 'tcp', ports: [443] },
    { from: 'work', to: 'wild', groups: ['printers'], destinations: ['203.0.113.9/32'], protocol: 'udp' },
    { from: 'work', to: 'work-2', destinations: ['10.77.3.9/32'], protocol: 'icmp' },
  ],
};

function textOf(input: { zones: { name: string; interface?: string }[] }): string {
  const config = parseConfig(input);
  return firewallText(config, new Map(input.zones.map((zone) => [zone.name, zone.interface ?? ''])));
}

/** `UPDATE_GOLDEN=1 node --test ...` writes them anew; read the difference before you commit it. */
function matchesGolden(name: string, text: string): void {
  const file = new URL(`golden/${name}.nft`, import.meta.url);
  if (process.env.UPDATE_GOLDEN) writeFileSync(file, text);
  assert.equal(text, readFileSync(file, 'utf8'));
}

test('a home with work and kids', () => matchesGolden('home', textOf(home)));
test('two employers whose networks overlap, ssh outside, local breakout', () =>
  matchesGolden('two-employers', textOf(two)));

/** A home inside the company's own range, and a second employer with the same one. */
const mapped = {
  ...home,
  tunnel: { networks: ['10.1.5.0/24', 'fd77:1::/64'] },
  peers: [
    {
      ...peer('first', ['10.1.0.0/16']),
      map: {
        theirs: [{ network: '10.1.0.0/16', as: '172.30.0.0/16' }],
        ours: [{ network: '10.1.5.0/24', as: '10.99.1.0/24' }],
      },
    },
    {
      ...peer('second', ['10.1.0.0/16', 'fd01:1::/64']),
      map: {
        theirs: [
          { network: '10.1.0.0/16', as: '172.31.0.0/16' },
          { network: 'fd01:1::/64', as: 'fd99:1::/64' },
        ],
        ours: [{ network: '10.1.5.0/24', as: '10.99.2.0/24' }],
      },
    },
  ],
  zones: [
    { name: 'wild', kind: 'wild', interface: 'wan' },
    { name: 'work', kind: 'work', interface: 'lan', addresses: ['10.1.5.1/24', 'fd77:1::1/64'] },
  ],
};
test('networks that both sides use, mapped one for one', () => matchesGolden('mapped', textOf(mapped)));

test('a zone whose interface is not there has no rules at all', () => {
  const text = firewallText(parseConfig(home), new Map([['wild', 'wan']]));
  assert.doesNotMatch(text, /kids|"lan"/);
  assert.match(text, /hook forward priority filter; policy drop;/);
});

test('the networks of 20 000 boxes are a matter of a second, said once', () => {
  const octets = (i: number) => `10.${i >> 8}.${i & 255}`;
  const peers = Array.from({ length: 20_000 }, (_, i) => ({
    ...peer(`box-${i}`, [`${octets(i)}.0/24`]),
    addresses: [],
  }));
  const config = parseConfig({ ...home, role: 'portal', peers });
  const began = performance.now();
  const text = firewallText(
    config,
    new Map([
      ['wild', 'wan'],
      ['work', 'lan'],
    ]),
  );
  assert.ok(performance.now() - began < 5000);
  assert.ok(text.length < 2_000_000, `${text.length} characters`);
});
