import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { parse as parseToml } from 'smol-toml';
import { ConfigError } from '../../appliance/config/problems.ts';
import { portalFirewall, portalNetworkFiles, resolverFile } from './portal-network.ts';
import { provePortal } from './portal-probe.ts';
import type { PortalSeed } from './portal-seed.ts';
import { judgeWork } from './probe.ts';
import { parseSeed } from './seed.ts';
import { sideOf } from './side.ts';

const shipped = readFileSync(join(import.meta.dirname, '../../images/moat-portal.toml'), 'utf8');

/** The shipped file with lines of it changed. */
function edited(...changes: readonly (readonly [from: string, to: string])[]): string {
  return changes.reduce((text, [from, to]) => {
    assert.ok(text.includes(from), from);
    return text.replace(from, to);
  }, shipped);
}

function portalOf(text: string): PortalSeed {
  const { portal } = parseSeed(text, 'portal');
  assert.ok(portal);
  return portal;
}

test('the moat.toml that is shipped with a portal is one', () => {
  const portal = portalOf(shipped);
  assert.equal(portal.wild.addressing, 'static');
  assert.deepEqual(portal.portal.pools[0]?.prefix, { address: '10.64.0.0', length: 10 });
  assert.equal(parseSeed(shipped, 'portal').config, null);
});

const gateway = 'gateways = ["198.51.100.1"]';
const refused: readonly (readonly [name: string, text: string, problem: RegExp])[] = [
  ['a box on the image of a portal', 'role = "home"', /^this is the image of a portal: expected a section \[portal\]/],
  [
    'two fields at once',
    edited(['"10.1.0.5/16"', '"10.1.0.5"'], ['"dhcp", or', ''], ['name = "portal"', 'name = "a b"']),
    /name: .*\ncompany\.addresses\[0\]: .*has no length/s,
  ],
  ['an unknown field', `${shipped}\n[extra]\n`, /^extra: unknown field$/],
  [
    'no address to call',
    edited(['addresses = ["198.51.100.10"]', 'addresses = []']),
    /^portal\.addresses: expected at least one/,
  ],
  ['host bits', edited(['"10.1.0.0/16"', '"10.1.0.1/16"']), /^portal\.networks\[0\]: .*host bits set/],
  [
    'a pool without a length of sites',
    edited(['"10.64.0.0/10/24"', '"10.64.0.0/10"']),
    /^portal\.pools\[0\]: expected PREFIX\/LENGTH/,
  ],
  [
    'sites larger than the pool',
    edited(['"10.64.0.0/10/24"', '"10.64.0.0/10/8"']),
    /^portal\.pools\[0\]: expected PREFIX\/LENGTH/,
  ],
  [
    'a pool inside the company',
    edited(['"10.1.0.0/16"', '"10.0.0.0/8"']),
    /portal\.pools: 10\.64\.0\.0\/10\/24 overlaps/,
  ],
  ['static without a router', edited([gateway, '']), /^wild\.gateways: expected the router that 198\.51\.100\.10 uses/],
  [
    'a router elsewhere',
    edited([gateway, 'gateways = ["192.0.2.1"]']),
    /^wild\.gateways: 192\.0\.2\.1 is in no network/,
  ],
  [
    'addresses beside DHCP',
    edited(['addressing = "static"', 'addressing = "dhcp"']),
    /^wild\.addressing: expected "static"/,
  ],
  [
    'the wild side inside the company',
    edited(['"10.1.0.0/16"', '"198.51.0.0/16"'], ['gateways = []', 'gateways = ["10.1.0.1"]']),
    /^wild\.addresses: 198\.51\.100\.10 is in a network of the company/,
  ],
  [
    'a network behind nobody',
    edited(['"10.1.0.0/16"', '"10.1.0.0/16", "10.9.0.0/16"']),
    /^company\.gateways: .*10\.9\.0\.0\/16/,
  ],
  ['a token', `${shipped}\n[enroll]\ntoken = "x"\n`, /^enroll: unknown field$/],
];

for (const [name, text, problem] of refused)
  test(`moat.toml of a portal: ${name}`, () => {
    assert.throws(
      () => parseSeed(text, 'portal'),
      (error) => (error instanceof ConfigError && problem.test(error.message) ? true : assert.fail(`${error}`)),
    );
  });

test('the image of a box says so when it finds what a portal is made of', () => {
  assert.throws(() => parseSeed(shipped), /this is the image of a box/);
  // The appliance's own portal, without a database, is another matter.
  const plain = edited(['[portal]', '[tunnel]']).split('[tunnel]')[0];
  assert.throws(() => parseSeed(`${plain}`), /identity/);
});

test('networkd is told addresses, routers, and what lies behind the router of the company', () => {
  const far = portalOf(
    edited(
      ['"10.1.0.0/16"', '"10.1.0.0/16", "10.9.0.0/16"'],
      ['gateways = []', 'gateways = ["10.1.0.1"]'],
      ['dns = []', 'dns = ["10.1.0.53"]'],
    ),
  );
  const files = portalNetworkFiles(far);
  assert.match(files['10-wild.network'] ?? '', /Address=198\.51\.100\.10\/24\nGateway=198\.51\.100\.1\n/);
  assert.doesNotMatch(files['10-wild.network'] ?? '', /DHCP=yes/);
  assert.match(files['20-work.network'] ?? '', /Address=10\.1\.0\.5\/16\n/);
  assert.deepEqual(files['20-work.network']?.match(/Destination=\S+\nGateway=\S+/g), [
    'Destination=10.9.0.0/16\nGateway=10.1.0.1',
  ]);
  const [own = ''] = files['20-work.network']?.split('[Route]') ?? [];
  assert.doesNotMatch(own, /Gateway/, 'the way to the world is the wild side');
  assert.equal(resolverFile(far), 'nameserver 10.1.0.53\n');
  const lines = ['addressing = "static"', 'addresses = ["198.51.100.10/24"]', gateway].join('\n');
  const dhcp = portalNetworkFiles(portalOf(edited([lines, ''])));
  assert.match(dhcp['10-wild.network'] ?? '', /DHCP=yes/);
});

test('the wild side is let in for IKE, ESP and the device API; the page is of the company', () => {
  const rules = portalFirewall(portalOf(shipped), false);
  const chain = (name: string) =>
    new RegExp(`chain ${name} \\{\\n([^}]*(?:\\{[^}]*\\}[^}]*)*?)\\n  \\}`).exec(rules)?.[1] ?? '';
  const accepted = chain('from_wild')
    .split('\n')
    .filter((line) => /dport/.test(line))
    .map((line) => line.trim());
  assert.deepEqual(accepted, [
    'udp dport { 500, 4500, 8443 } accept',
    'tcp dport 8443 accept',
    'udp sport 67 udp dport 68 accept',
    'ip6 saddr fe80::/10 udp sport 547 udp dport 546 accept',
  ]);
  assert.match(chain('from_wild'), /counter drop$/);
  assert.match(chain('from_work'), /ip saddr @company_4 tcp dport \{ 8444 \} accept/);
  assert.doesNotMatch(rules.replace(chain('from_work'), ''), /8444/);
  assert.match(portalFirewall(portalOf(shipped), true), /tcp dport \{ 8444, 22 \} accept/);
  assert.doesNotMatch(chain('forward'), /wild0/);
  assert.match(chain('forward'), /policy drop/);
});

test('the board of a portal is another one than that of a box', () => {
  assert.equal(sideOf('pc-portal'), 'portal');
  assert.equal(sideOf('pc'), 'home');
});

test('a portal whose provisioning does not answer does no work', async () => {
  const proof = await provePortal('http://127.0.0.1:11112/health');
  assert.equal(proof.ok, false);
  const work = judgeWork(
    { state: 'up', sentence: '', page: null, proofs: [proof] },
    { probeFloor: 0, console: false, sshKeys: [] },
  );
  assert.deepEqual(work, {
    ok: false,
    reason: 'no-portal',
    sentence: 'The provisioning service does not answer: ECONNREFUSED.',
  });
});

test('every field of the shipped file is one of the schema', () => {
  const { box, ...rest } = parseToml(shipped);
  assert.deepEqual(Object.keys(rest).sort(), ['company', 'dns', 'name', 'portal', 'role', 'time', 'wild']);
  assert.deepEqual(Object.keys(box as object), ['console', 'sshKeys']);
});
