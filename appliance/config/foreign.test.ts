import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { parse } from 'smol-toml';
import { parseConfig } from './schema.ts';

const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
const example = parse(/```toml\n(.*?)```/s.exec(readme)?.[1] ?? '');
const whole = { role: 'home', name: 'home-1', tunnel: { networks: ['10.77.1.0/24'] }, ...example };

function refusal(change: (peer: Record<string, unknown>) => object): string {
  const [peer = {}] = example.peers as Record<string, unknown>[];
  try {
    parseConfig({ ...whole, peers: [{ ...peer, ...change(peer) }] });
    return 'none';
  } catch (error) {
    return (error as Error).message;
  }
}

test("the README's example of a foreign gateway is a configuration", () => {
  const [peer] = parseConfig(whole).peers;
  assert.equal(peer?.x509?.revocation, 'required');
  assert.deepEqual(
    peer.children.map(({ local, remote }) => [local, remote.length]),
    [
      [undefined, 1],
      [undefined, 2],
    ],
  );
  assert.deepEqual(peer.ppk, { id: 'acme-1', secretFile: 'acme.ppk', required: true });
});

test('what cannot be is said in a sentence', () => {
  assert.match(
    refusal(() => ({ psk: 'sixteen letters!' })),
    /exactly one of publicKey, psk, pskFile and x509/,
  );
  assert.match(
    refusal(() => ({ x509: {} })),
    /x509: expected authorityFiles or authorities/,
  );
  assert.match(
    refusal(() => ({ x509: { authorities: 'no PEM' } })),
    /x509\.authorities: expected certificates as PEM/,
  );
  assert.match(
    refusal(() => ({ ppk: { id: 'a', secret: 'too short' } })),
    /ppk\.secret: expected at least 32 characters: 256 bits/,
  );
  assert.doesNotMatch(
    refusal(() => ({ ppk: { id: 'a', secret: 'too short' } })),
    /too short/,
  );
  assert.match(
    refusal(() => ({ children: [{ remote: ['10.0.0.0/8[tls]'] }] })),
    /children\[0\]\.remote\[0\]: 'tls' is no protocol/,
  );
  const two = { ...whole, role: 'portal', identity: { id: 'x' } };
  const box = (name: string) => ({
    name,
    id: name,
    psk: 'sixteen letters!',
    networks: ['10.1.0.0/16'],
    assigns: { addresses: ['10.9.0.1'] },
  });
  assert.throws(
    () => parseConfig({ ...two, peers: [box('a'), box('b')] }),
    /peers\[1\]\.assigns: 10\.9\.0\.1 is given to two peers/,
  );
});
