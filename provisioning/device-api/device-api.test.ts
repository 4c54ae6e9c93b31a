import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseConfig } from '../../appliance/config/schema.ts';
import { DeviceClient } from '../device-client/client.ts';
import { addFactoryKey, addRecord, archiveRecord, redirectDevice, revokeDevice, setRecord } from '../facts/fleet.ts';
import { listRevisions } from '../facts/revisions.ts';
import { goodReport } from '../testing/facts.ts';
import { onBothPortals, type TestPortal } from '../testing/portal.ts';
import { Buckets, payerOf } from './limits.ts';
import { Challenges } from './signature.ts';

const configPath = '/device/1/config';
const addHome = (portal: TestPortal, name: string) =>
  portal.edit((to) => addRecord(to, 'device', { customer: 'acme', name }));
const report = { ...goodReport, tunnel: { lossPermille: 1, roundTripMs: 12.5, receivedKbps: 10, sentKbps: 20 } };

onBothPortals(
  'a box enrols, fetches what parseConfig takes, reports, and hears of a change within a second',
  async (portal) => {
    await addHome(portal, 'home-1');
    const box = await portal.enrolled('home-1');
    const first = await box.call('GET', configPath);
    assert.deepEqual([first.status, first.headers.etag], [200, '"1"']);
    assert.equal(parseConfig(JSON.parse(first.text)).revision, 1);
    assert.equal((await box.call('POST', '/device/1/status', JSON.stringify(report))).status, 204);
    assert.equal((await box.call('GET', configPath, '', { 'if-none-match': '"1"' })).status, 304);

    const waiting = box.call('GET', `${configPath}?wait=30`, '', { 'if-none-match': '"1"' });
    await sleep(300);
    const started = performance.now();
    await portal.edit((to) => setRecord(to, 'device', 'home-1', { settings: { tunnel: { mtu: 1400 } } }));
    const changed = await waiting;
    assert.ok(performance.now() - started < 1000, `${performance.now() - started} ms`);
    assert.deepEqual([changed.status, changed.headers.etag, JSON.parse(changed.text).tunnel.mtu], [200, '"2"', 1400]);

    const tunnel = () => JSON.parse(readFileSync(join(portal.folder, 'tunnel.json'), 'utf8'));
    assert.equal(parseConfig(tunnel()).peers[0]?.name, 'home-1');
    await sleep(1100); // reports are written once a second
    const { seenAt, confirmedRevision } = await portal.database.queries
      .selectFrom('deviceStatus')
      .selectAll()
      .executeTakeFirstOrThrow();
    assert.ok(Date.now() - seenAt < 5000);
    const [newest, second] = await listRevisions(portal.database.queries, {});
    // The second configuration is not confirmed, and the box is where the last revision put it.
    assert.deepEqual([newest?.boxes, newest?.confirmed, second?.boxes], [1, 0, 0]);
    assert.equal(confirmedRevision, 1);
    await portal.edit((to) => revokeDevice(to, 'home-1'));
    const answer = await box.call('GET', configPath);
    assert.deepEqual([answer.status, answer.text], [403, '{"error":"revoked"}']);
    for (let waited = 0; tunnel().peers.length > 0 && waited < 1000; waited += 50) await sleep(50);
    assert.deepEqual(tunnel().peers, []);
  },
);

onBothPortals('a stranger cannot tell what is there', async (portal) => {
  await addHome(portal, 'home-1');
  const box = await portal.enrolled('home-1');
  const stranger = portal.box();
  const codeBody = JSON.stringify({ code: '00000-00000-00000-00000' });
  const answers = [
    await stranger.call('GET', configPath),
    await stranger.call('GET', '/device/1/nothing'),
    await stranger.call('POST', '/device/1/enroll', codeBody),
    await stranger.call('POST', '/device/1/enroll', '{}'),
    await stranger.send('GET', '/', '', {}),
    await stranger.send('GET', '/%zz', '', {}),
    await stranger.send('POST', '/device/1/status', 'x'.repeat(1000), { 'moat-key': box.publicKey }),
    await stranger.send('GET', configPath, '', { ...box.sign('GET', configPath, ''), 'moat-signature': 'AAAA' }),
  ];
  for (const { status, text, headers } of answers) {
    assert.deepEqual([status, text], [401, '{"error":"refused"}']);
    const names = Object.keys(headers)
      .filter((name) => name !== 'date' && name !== 'content-type')
      .sort();
    assert.deepEqual(names, ['connection', 'content-length', 'keep-alive', 'moat-challenge']);
  }
  assert.ok(!portal.logged.join('').includes('"level":50'));
});

onBothPortals('what was replayed, reordered, forged or stolen is refused', async (portal) => {
  await addHome(portal, 'home-1');
  await addHome(portal, 'home-2');
  const box = await portal.enrolled('home-1');
  const other = await portal.enrolled('home-2');
  const path = '/device/1/status';
  const body = JSON.stringify(report);
  const statusOf = async (headers: Record<string, string>, sent = body, to = path, method = 'POST') =>
    (await box.send(method, to, sent, headers)).status;
  await box.call('GET', configPath);
  const [early, late] = [box.sign('POST', path, body), box.sign('POST', path, body)];
  assert.equal(await statusOf(late), 204);
  assert.equal(await statusOf(late), 401); // replayed
  assert.equal(await statusOf(early), 401); // overtaken
  const fresh = () => box.sign('POST', path, body);
  assert.equal(await statusOf(fresh(), body.replace('up', 'down')), 401);
  assert.equal(await statusOf(fresh(), body, `${path}?a=1`), 401);
  assert.equal(await statusOf(box.sign('GET', configPath, ''), '', '/device/1/release', 'GET'), 401);
  assert.equal(await statusOf({ ...fresh(), 'moat-key': other.publicKey }), 401);
  assert.equal(await statusOf({ ...fresh(), 'moat-counter': '999999' }), 401);
  assert.equal(await statusOf(fresh()), 204);
});

onBothPortals('wrong bodies are named, large ones are cut off', async (portal) => {
  await addHome(portal, 'home-1');
  const box = await portal.enrolled('home-1');
  const wrong = await box.call('POST', '/device/1/status', JSON.stringify({ ...report, health: 'fine' }));
  assert.equal(wrong.status, 400);
  assert.match(wrong.text, /"field":"health"/);
  assert.equal((await box.call('POST', '/device/1/status', '{')).status, 400);
  assert.equal((await box.call('POST', '/device/1/status', 'x'.repeat(70_000))).status, 413);
  assert.equal((await box.call('GET', configPath)).status, 200);
});

onBothPortals('a key is rotated with overlap, and the old one ends with the first call of the new', async (portal) => {
  await addHome(portal, 'home-1');
  const box = await portal.enrolled('home-1');
  const next = portal.box();
  const announced = await box.call('POST', '/device/1/key', JSON.stringify({ publicKey: next.publicKey }));
  assert.equal(announced.status, 204);
  assert.equal((await box.call('GET', configPath)).status, 200);
  assert.equal((await next.call('GET', configPath)).status, 200);
  assert.equal((await box.call('GET', configPath)).status, 401);
  const { peer } = await portal.database.queries.selectFrom('compiled').select('peer').executeTakeFirstOrThrow();
  assert.equal(JSON.parse(peer).publicKey, next.publicKey);
});

onBothPortals(
  'a moved box is told where to, a factory box needs no code, a lost answer may be asked for again',
  async (portal) => {
    await addHome(portal, 'home-1');
    await addHome(portal, 'home-2');
    const box = await portal.enrolled('home-1');
    const to = { apiUrls: ['https://new.example:8443'], apiKey: Buffer.alloc(32, 5).toString('base64') };
    const waiting = box.call('GET', `${configPath}?wait=30`, '', { 'if-none-match': '"1"' });
    await sleep(200);
    await portal.edit((edit) => redirectDevice(edit, 'home-1', to));
    const moved = await waiting;
    assert.deepEqual([moved.status, JSON.parse(moved.text)], [421, { error: 'moved', ...to }]);

    const factory = portal.box();
    await portal.edit((edit) => addFactoryKey(edit, 'home-2', factory.publicKey));
    assert.equal((await factory.call('GET', configPath)).text, '{"error":"notEnrolled"}');
    for (let again = 0; again < 2; again += 1) {
      const answer = await factory.call('POST', '/device/1/enroll', '{}');
      assert.deepEqual([answer.status, answer.text], [200, '{"device":"home-2"}']);
    }
    assert.equal((await factory.call('GET', configPath)).status, 200);
    await portal.edit((edit) => archiveRecord(edit, 'customer', 'acme'));
    assert.equal((await factory.call('GET', configPath)).status, 403);
  },
);

onBothPortals('releases reach the share of the boxes that they are for', async (portal) => {
  await addHome(portal, 'home-1');
  const box = await portal.enrolled('home-1');
  assert.equal((await box.call('GET', '/device/1/release')).status, 204);
  await portal.edit((to) =>
    addRecord(to, 'release', {
      name: '1.1.0',
      url: 'https://x.example/i',
      sha256: 'a'.repeat(64),
      state: 'rolling',
      percent: 100,
    }),
  );
  const answer = await box.call('GET', '/device/1/release');
  assert.equal(JSON.parse(answer.text).release, '1.1.0');
});

onBothPortals('a client speaks to nobody but the key that it has pinned', async (portal) => {
  const door = { ...portal.door, apiKey: Buffer.alloc(32, 1).toString('base64') };
  const client = new DeviceClient(door, generateKeyPairSync('ed25519').privateKey);
  await assert.rejects(client.call('GET', configPath), /not the portal that was pinned/);
});

test('challenges: only ours, only for an hour, only forward', () => {
  const challenges = new Challenges(new Uint8Array(32).fill(1));
  const foreign = new Challenges(new Uint8Array(32).fill(2));
  const at = (now: number) => challenges.issue(now, new Uint8Array(16).fill(now % 256));
  const first = at(1_000_000);
  assert.ok(challenges.isOurs(first, 1_000_000 + 3_599_999));
  assert.ok(!challenges.isOurs(first, 1_000_000 + 3_600_000));
  assert.ok(!challenges.isOurs(foreign.issue(1_000_000, new Uint8Array(16)), 1_000_000));
  for (const text of ['', '.', 'a.b.c', `${first}x`]) assert.ok(!challenges.isOurs(text, 1_000_000));
  assert.ok(challenges.advance('k', at(1_000_001), 5));
  assert.ok(!challenges.advance('k', at(1_000_001), 5));
  assert.ok(!challenges.advance('k', first, 99));
  assert.ok(challenges.advance('k', at(1_000_002), 1));
});

test('challenges: a key that has not called for a day is forgotten, one that calls is not', () => {
  const challenges = new Challenges(new Uint8Array(32).fill(1));
  const hour = 3_600_000;
  const at = (now: number) => challenges.issue(now, new Uint8Array(16));
  assert.ok(challenges.advance('gone', at(hour), 1));
  for (let now = hour; now < 23 * hour; now += hour) assert.ok(challenges.advance('there', at(now), 1));
  assert.ok(challenges.knows('gone') && challenges.knows('there'));
  assert.ok(challenges.advance('there', at(26 * hour), 1));
  assert.ok(!challenges.knows('gone') && challenges.knows('there'));
});

test('limits: a household pays together, and memory is bounded', () => {
  assert.equal(payerOf('::ffff:192.0.2.1'), '192.0.2.1');
  assert.equal(payerOf('2001:db8:1:2:3::9'), payerOf('2001:db8:1:2:ffff::1'));
  assert.notEqual(payerOf('2001:db8::1'), payerOf('2001:db8:0:1::1'));
  const buckets = new Buckets({ burst: 2, perSecond: 1 }, 10);
  const takes = [0, 0, 0, 1000, 1000].map((now) => buckets.take('a', now));
  assert.deepEqual(takes, [true, true, false, true, false]);
  for (let i = 0; i < 20; i += 1) buckets.take(`b${i}`, 2000);
  assert.ok(buckets.take('a', 2000) && buckets.take('a', 2000)); // long forgotten, so full again
});
