import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inspect } from 'node:util';
import { ConfigError } from './problems.ts';
import { parseConfig } from './schema.ts';

const publicKey = Buffer.alloc(32, 7).toString('base64');
const portalPeer = {
  name: 'portal',
  id: 'portal.example',
  addresses: ['198.51.100.10'],
  publicKey,
  networks: ['10.1.0.0/16', 'fd01:1::/64'],
};
const home = {
  role: 'home',
  name: 'home-1',
  identity: { id: 'home-1.example', privateKeyFile: 'identity.key' },
  tunnel: { networks: ['10.77.1.0/24'] },
  peers: [portalPeer],
};

function refusal(value: unknown): string {
  try {
    parseConfig(value);
  } catch (error) {
    assert.ok(error instanceof ConfigError);
    return error.message;
  }
  return 'accepted';
}

test('defaults are filled in', () => {
  const config = parseConfig(home);
  assert.equal(config.tunnel.interface, 'moat0');
  assert.equal(config.tunnel.mtu, 1500);
  assert.deepEqual(config.tunnel.ports, { ike: 500, natTraversal: 4500 });
  assert.deepEqual(config.peers[0]?.esp.esn, [true, false]);
  assert.deepEqual(config.peers[0]?.networks[1], { address: 'fd01:1::', length: 64 });
});

test('each wrong field is named with what was expected', () => {
  const withPeer = (change: object) => ({ ...home, peers: [{ ...portalPeer, ...change }] });
  const cases: [object, string][] = [
    [{ ...home, role: 'office' }, 'role: expected "home" or "portal", found "office"'],
    [{ ...home, role: undefined }, 'role: expected "home" or "portal"; it is missing'],
    [{ ...home, tunel: {} }, 'tunel: unknown field'],
    [{ ...home, tunnel: { ...home.tunnel, mtu: '1500' } }, 'tunnel.mtu: expected a number, found "1500"'],
    [{ ...home, tunnel: { ...home.tunnel, mtu: 100 } }, 'tunnel.mtu: expected at least 1280, found 100'],
    [
      { ...home, tunnel: { networks: ['10.77.1.1/24'] } },
      "tunnel.networks[0]: '10.77.1.1/24' has host bits set: the network is 10.77.1.0/24",
    ],
    [withPeer({ addresses: ['portal'] }), "peers[0].addresses[0]: 'portal' is not an IPv4 or IPv6 address"],
    [withPeer({ addresses: [] }), 'peers[0].addresses: expected at least one IP address'],
    [withPeer({ psk: 'sixteen letters!' }), 'peers[0]: expected exactly one of publicKey, psk, pskFile and x509'],
    [{ ...home, peers: [portalPeer, portalPeer] }, "peers[1].name: two peers are called 'portal'"],
    [{ ...home, identity: { id: 'x' } }, 'peers[0].publicKey: needs identity.privateKeyFile: our own key to answer'],
    [{ ...home, role: 'portal' }, 'peers[0].addresses: a portal is called and calls nobody'],
  ];
  for (const [value, expected] of cases) assert.ok(refusal(value).startsWith(expected), refusal(value));
  assert.match(refusal(withPeer({ publicKey: 'AAAA' })), /peers\[0\]\.publicKey: expected an Ed25519 public key/);
});

test('a shared secret is never printed', () => {
  const { publicKey: _, ...rest } = portalPeer;
  const config = parseConfig({ ...home, peers: [{ ...rest, psk: 'correct horse battery' }] });
  for (const text of [JSON.stringify(config), inspect(config, { depth: 9 }), String(config.peers[0]?.psk)]) {
    assert.ok(!text.includes('horse'));
    assert.match(text, /\[secret\]/);
  }
});
