import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { ed25519PublicText } from '../config/files.ts';
import { parsePrefix } from '../lib/ip.ts';
import type { Answer } from './portal-call.ts';
import { PortalFiles, parseToken } from './portal-files.ts';
import { carried, reportOf } from './portal-report.ts';
import {
  configAnswer,
  doorFor,
  keyIsOld,
  learnedUrls,
  movedDoors,
  pauseMs,
  urlsInTurn,
  wakeTicket,
} from './portal-turns.ts';
import type { ApplianceStatus } from './status.ts';

const apiKey = Buffer.alloc(32, 9).toString('base64');
const door = (name: string, key = apiKey) => ({ apiUrls: [`https://${name}:8443`], apiKey: key });
const token = (url: string, code = 'AAAAA-BBBBB-CCCCC-DDDDD') =>
  `moat1.${Buffer.from(url).toString('base64url')}.${Buffer.from(apiKey, 'base64').toString('base64url')}.${code}`;
const answer = (status: number, text = '', headers: Answer['headers'] = {}): Answer => ({
  status,
  text,
  headers,
  address: '',
});

test('a token says where, whose key, and which code; a damaged one says so', () => {
  const read = parseToken(`  moat enroll ${token('https://portal:8443')}\n`);
  assert.deepEqual(read, { door: door('portal'), code: 'AAAAA-BBBBB-CCCCC-DDDDD' });
  assert.equal(parseToken(token('https://portal:8443', '')).code, '');
  for (const bad of [
    '',
    'moat2.a.b.c',
    'moat1.a.b',
    token('http://portal'),
    token('https://p').replace(/\.[^.]+\.A/, '.AAAA.A'),
  ])
    assert.throws(() => parseToken(bad), /enrolment token/, bad);
});

test('every answer means one thing', () => {
  const config = configAnswer(answer(200, '{}', { etag: '"7"' }));
  assert.deepEqual(config, { kind: 'configuration', revision: 7, text: '{}' });
  assert.equal(configAnswer(answer(304)).kind, 'same');
  const moved = configAnswer(answer(421, JSON.stringify({ error: 'moved', ...door('other') })));
  assert.deepEqual(moved, { kind: 'moved', door: door('other') });
  // A redirect that could not be followed safely is none.
  assert.equal(
    configAnswer(answer(421, JSON.stringify({ error: 'moved', apiUrls: ['http://x'], apiKey }))).kind,
    'failed',
  );
  assert.deepEqual(configAnswer(answer(403, '{"error":"revoked"}')), {
    kind: 'no',
    sentence: 'the portal has revoked this box',
  });
  assert.equal(configAnswer(answer(401, 'nonsense')).kind, 'no');
  assert.deepEqual(configAnswer(answer(429, '', { 'retry-after': '10' })), {
    kind: 'failed',
    sentence: 'the portal answered 429',
    retrySeconds: 10,
  });
  assert.equal(configAnswer(answer(200, '{}', {})).kind, 'failed');
});

test('back-off doubles from a second to five minutes, spread over half and one and a half of it', () => {
  assert.deepEqual(
    [1, 2, 3, 4].map((failures) => pauseMs(failures, 0.5)),
    [1000, 2000, 4000, 8000],
  );
  assert.deepEqual([pauseMs(1, 0), pauseMs(1, 0.999)], [500, 1499]);
  assert.equal(pauseMs(1_000_000, 0.5), 300_000);
});

test('the old door is tried from time to time, and a redirect puts the new one first', () => {
  assert.deepEqual(
    [0, 1, 2, 3, 4, 7].map((failures) => doorFor(failures, 2)),
    [0, 0, 0, 1, 0, 1],
  );
  assert.deepEqual(
    [3, 7, 11].map((failures) => doorFor(failures, 3)),
    [1, 2, 1],
  );
  assert.equal(doorFor(3, 1), 0);
  const other = door('other', Buffer.alloc(32, 1).toString('base64'));
  assert.deepEqual(movedDoors([door('a')], other), [other, door('a')]);
  assert.deepEqual(movedDoors([other, door('a')], door('a')), [door('a'), other]);
});

test('what is inside the company is asked first while the tunnel is up, and last while it is not', () => {
  const urls = ['https://198.51.100.10:8443', 'https://10.1.0.1:8443', 'https://[fd01::1]:8443', 'https://name:8443'];
  const inside = [parsePrefix('10.1.0.0/16'), parsePrefix('fd01::/32')];
  assert.deepEqual(urlsInTurn(urls, inside, true), [urls[1], urls[2], urls[0], urls[3]]);
  assert.deepEqual(urlsInTurn(urls, inside, false), [urls[0], urls[3], urls[1], urls[2]]);
});

test('addresses are learned, and the one that works is never forgotten for them', () => {
  const old = 'https://old:8443';
  assert.deepEqual(learnedUrls('https://a:1 https://b:2', old), ['https://a:1', 'https://b:2', old]);
  assert.deepEqual(learnedUrls(`https://a:1 ${old}`, old), ['https://a:1', old]);
  for (const nothing of [undefined, '', 'http://a', 'nonsense']) assert.equal(learnedUrls(nothing, old), null);
});

test('a wake ticket is whole or none; a key is old after its days, never by a clock that went back', () => {
  const text = `8443 ${Buffer.alloc(16, 1).toString('base64url')} ${Buffer.alloc(32, 2).toString('base64url')} 12`;
  assert.deepEqual(
    [wakeTicket(text)?.port, wakeTicket(text)?.ticket.length, wakeTicket(text)?.key.length, wakeTicket(text)?.number],
    [8443, 16, 32, 12],
  );
  for (const bad of [undefined, '', text.slice(1, -4), `${text} 1`]) assert.equal(wakeTicket(bad), null);
  const isOld = (madeAtDay: number, day: number, clockIsRight: boolean) =>
    keyIsOld({ madeAtMs: madeAtDay * 86_400_000, nowMs: day * 86_400_000, days: 90, clockIsRight });
  const judged = [isOld(0, 91, false), isOld(0, 89, true), isOld(10_000, 0, false), isOld(10_000, 0, true)];
  assert.deepEqual(judged, [true, false, false, true]);
});

test('a token is followed once; the key is made once, is the factory key where there is one, and is nobody else’s to read', () => {
  const folder = mkdtempSync(join(tmpdir(), 'moat-portal-files-'));
  try {
    const files = new PortalFiles(folder);
    assert.equal(files.enrolment(), null);
    assert.equal(files.take(token('https://portal:8443')), true);
    assert.equal(files.take(`${token('https://portal:8443')}\n`), false);
    assert.equal(files.take(token('https://portal:8443', 'OTHER')), true);
    const key = files.key(null);
    assert.equal(statSync(files.keyFile).mode & 0o777, 0o600);
    assert.equal(ed25519PublicText(files.key(null)), ed25519PublicText(key));
    const next = files.nextKey();
    assert.equal(ed25519PublicText(files.nextKey()), ed25519PublicText(next));
    files.promote();
    assert.equal(ed25519PublicText(files.key(null)), ed25519PublicText(next));
    assert.equal(files.hasNextKey(), false);
    const second = new PortalFiles(join(folder, 'second'));
    assert.equal(ed25519PublicText(second.key(files.keyFile)), ed25519PublicText(next));
    writeFileSync(join(folder, 'portal', 'enrolment.json'), '{"doors":[]}');
    assert.equal(files.enrolment(), null);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test('a report says up, degraded or down, and the rates since the last one', () => {
  const traffic = { packetsIn: 900, lostIn: 100, octetsIn: 1_000_000, octetsOut: 500_000, packetsOut: 1 };
  const tunnel = { state: 'up', peers: [{ traffic }] } as unknown as ApplianceStatus['tunnel'];
  const status = { version: '1.0.0', sentence: 'x'.repeat(600), problems: [], tunnel } as unknown as ApplianceStatus;
  const facts = {
    status,
    appliedRevision: 3,
    confirmedRevision: 2,
    refused: null,
    update: null,
    before: carried(null, 0),
    now: carried(tunnel, 10_000),
    roundTripMs: 12.34,
  };
  const report = reportOf(facts);
  assert.equal(report.doctor.length, 500);
  assert.deepEqual([report.health, report.appliedRevision, report.confirmedRevision], ['up', 3, 2]);
  assert.deepEqual(report.tunnel, { lossPermille: 100, roundTripMs: 12.3, receivedKbps: 800, sentKbps: 400 });
  assert.equal(reportOf({ ...facts, status: { ...status, problems: ['dns'] } }).health, 'degraded');
  const down = reportOf({ ...facts, status: { ...status, tunnel: null } });
  assert.deepEqual([down.health, down.tunnel], ['down', undefined]);
  // The tunnel's service was started again: its counters begin anew, and nothing is negative.
  assert.equal(reportOf({ ...facts, before: carried(tunnel, 0), now: carried(null, 10_000) }).tunnel?.receivedKbps, 0);
});
