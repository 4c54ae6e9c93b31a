import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Answer } from './portal-call.ts';
import { parseUpdate, releaseAnswer } from './portal-release.ts';

const answer = (status: number, text: string) => ({ status, text, headers: {} }) as unknown as Answer;
const offer = { release: '1.1.0', url: 'https://x.example/1.1.0.bundle', sha256: 'ab', signature: '' };

test('an offer is followed, 204 means stay, and everything else is no offer', () => {
  const answered = releaseAnswer(answer(200, JSON.stringify({ ...offer, more: 'of a newer portal' })));
  assert.deepEqual(answered, { kind: 'offer', offer });
  assert.deepEqual(releaseAnswer(answer(204, '')), { kind: 'stay' });
  const wrong = [
    { ...offer, release: 'x'.repeat(64) },
    { ...offer, release: '' },
    { ...offer, url: 'file:///etc/shadow' },
    { ...offer, url: `https://x.example/${'x'.repeat(2048)}` },
    { ...offer, signature: 'x'.repeat(1001) },
    { release: '1.1.0' },
    [],
    null,
  ];
  for (const value of wrong) assert.equal(releaseAnswer(answer(200, JSON.stringify(value))).kind, 'unclear');
  for (const status of [200, 403, 404, 500]) assert.equal(releaseAnswer(answer(status, '{')).kind, 'unclear');
  assert.equal(releaseAnswer(answer(500, JSON.stringify(offer))).kind, 'unclear');
});

test('what the updater says is read whole or not at all, and never longer than the portal takes', () => {
  const failed = { release: '1.1.0', state: 'failed', problem: 'y'.repeat(600) };
  assert.equal(parseUpdate(JSON.stringify(failed))?.problem.length, 500);
  assert.equal(parseUpdate(JSON.stringify({ release: '1.1.0', state: 'installed' }))?.problem, '');
  for (const text of [null, '', '{"release":"1.1.0","st', '{}', JSON.stringify({ ...failed, state: 'flying' })])
    assert.equal(parseUpdate(text), null, String(text));
  fc.assert(
    fc.property(
      fc.string(),
      (text) => parseUpdate(text) === null && releaseAnswer(answer(200, text)).kind === 'unclear',
    ),
  );
});
