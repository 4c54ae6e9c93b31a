import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isWanted, parseOffer } from './release.ts';

const offer = { release: '1.1.0', url: 'https://portal.example/files/moat-1.1.0.bundle' };
const state = (release: string, state: 'downloading' | 'installed' | 'failed') => ({ release, state, problem: '' });

test('a release is followed once, to its end', () => {
  assert.equal(isWanted(offer, null), true);
  assert.equal(isWanted(offer, state('1.0.9', 'failed')), true);
  assert.equal(isWanted(offer, state('1.1.0', 'downloading')), true);
  assert.equal(isWanted(offer, state('1.1.0', 'installed')), false);
  assert.equal(isWanted(offer, state('1.1.0', 'failed')), false);
});

test('what is no offer is none', () => {
  assert.deepEqual(parseOffer(JSON.stringify({ ...offer, sha256: '', signature: '' })), offer);
  for (const text of [
    null,
    '',
    '{',
    '{}',
    '{"release":"1","url":7}',
    JSON.stringify({ ...offer, release: 'x'.repeat(64) }),
  ])
    assert.equal(parseOffer(text), null, String(text));
});
