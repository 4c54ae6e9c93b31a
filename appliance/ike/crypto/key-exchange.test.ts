import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { fromHex, hex } from '../../lib/bytes.ts';
import type { KeyExchange } from '../api.ts';
import { generateKeyPair, type KeyPair } from './key-exchange.ts';

const random = (length: number) => new Uint8Array(randomBytes(length));
const fixed = (octets: string) => () => fromHex(octets);

function agreed(pair: KeyPair, value: Uint8Array): string | null {
  const secret = pair.agree(value);
  return secret && hex(secret.reveal());
}

test('X25519 (RFC 7748 5.2)', () => {
  const cases = [
    {
      scalar: 'a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4',
      u: 'e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c',
      result: 'c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552',
    },
    {
      scalar: '4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d',
      u: 'e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493',
      result: '95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957',
    },
  ];
  for (const { scalar, u, result } of cases) {
    assert.equal(agreed(generateKeyPair('x25519', fixed(scalar)), fromHex(u)), result);
  }
});

test('ECP-256 (RFC 5903 8.1)', () => {
  const i = generateKeyPair('ecp256', fixed('c88f01f510d9ac3f70a292daa2316de544e9aab8afe84049c62a9c57862d1433'));
  const r = generateKeyPair('ecp256', fixed('c6ef9c5d78ae012a011164acb397ce2088685d8f06bf9be0b283ab46476bee53'));
  assert.equal(
    hex(i.publicValue),
    'dad0b65394221cf9b051e1feca5787d098dfe637fc90b9ef945d0c37725811805271a0461cdb8252d61f1c456fa3e59ab1f45b33accf5f58389e0577b8990bb3',
  );
  const shared = 'd6840f6b42f6edafd13116e0e12565202fef8e9ece7dce03812464d04b9442de';
  assert.equal(agreed(i, r.publicValue), shared);
  assert.equal(agreed(r, i.publicValue), shared);
});

test('both ends come to the same secret', () => {
  for (const method of ['x25519', 'ecp256'] as const) {
    const [a, b] = [generateKeyPair(method, random), generateKeyPair(method, random)];
    assert.equal(agreed(a, b.publicValue), agreed(b, a.publicValue));
  }
});

test('public values of a wrong length, no point, or of small order come to nothing', () => {
  const bad: Record<KeyExchange, Uint8Array[]> = {
    x25519: [
      new Uint8Array(),
      new Uint8Array(31),
      new Uint8Array(33).fill(9),
      new Uint8Array(32), // order 1
      fromHex('01'.padEnd(64, '0')),
      fromHex('e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800'), // order 8
      fromHex('edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f'), // p, which is 0
    ],
    ecp256: [new Uint8Array(), new Uint8Array(63), new Uint8Array(65), new Uint8Array(64), new Uint8Array(64).fill(1)],
  };
  for (const method of ['x25519', 'ecp256'] as const) {
    const pair = generateKeyPair(method, random);
    for (const value of bad[method]) assert.equal(pair.agree(value), null, `${method} ${hex(value)}`);
  }
});

test('a private key that is none is drawn again', () => {
  const draws = ['f'.repeat(64), '0'.repeat(64), `${'0'.repeat(63)}5`];
  const pair = generateKeyPair('ecp256', () => fromHex(draws.shift() ?? ''));
  assert.equal(pair.publicValue.length, 64);
  assert.equal(draws.length, 0);
});
