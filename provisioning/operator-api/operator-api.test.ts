import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { addRecord } from '../facts/fleet.ts';
import { codeNow, loggedIn, send } from '../testing/operator.ts';
import { onBothPortals } from '../testing/portal.ts';
import { addOperator } from './operators.ts';
import { fromBase32, toBase32, totpCode, totpStepOf } from './passwords.ts';

onBothPortals('nobody is let in without all three, and a one-time code works once', async (portal) => {
  const now = Date.now();
  const { name, password, totpSecret } = await addOperator(portal.database, { name: 'ann', role: 'owner' }, now);
  const right = { name, password, totp: codeNow(totpSecret, now) };
  const login = (body: object) => send(portal.operatorPort, 'POST', '/api/login', { body });
  const wrong = [
    { ...right, name: 'bob' },
    { ...right, password: 'x' },
    { ...right, totp: '000000' },
  ];
  for (const body of wrong) {
    const { status, text } = await login(body);
    assert.deepEqual([status, text], [401, '{"error":"refused"}']);
  }
  const reply = await login(right);
  assert.equal(reply.status, 200);
  assert.match(
    String(reply.headers['set-cookie']),
    /^__Host-moat=[\w-]{43}; Path=\/; Secure; HttpOnly; SameSite=Strict$/,
  );
  assert.equal((await login(right)).status, 401);
  const stored = JSON.stringify(await portal.database.queries.selectFrom('operators').selectAll().execute());
  assert.ok(!stored.includes(password));
  const logged =
    portal.logged.join('') + JSON.stringify(await portal.database.queries.selectFrom('events').selectAll().execute());
  for (const secret of [password, totpSecret]) assert.ok(!logged.includes(secret));
  const statuses: number[] = [];
  for (let i = 0; i < 12; i += 1) statuses.push((await login({ ...right, password: `guess ${i}` })).status);
  assert.ok(statuses.includes(429));
});

onBothPortals('a large body is read of an operator who imports, and of nobody else', async (portal) => {
  const operator = await loggedIn(portal, 'oda', 'operator');
  const viewer = await loggedIn(portal, 'vic', 'viewer');
  // Not even JSON: only who reads it finds out.
  const large = 'x'.repeat(200_000);
  assert.equal((await send(portal.operatorPort, 'POST', '/api/login', { body: large })).status, 413);
  assert.equal((await send(portal.operatorPort, 'POST', '/api/import', { body: large })).status, 401);
  assert.equal((await viewer.call('POST', '/import', large)).status, 403);
  assert.equal((await operator.call('POST', '/records/customer', large)).status, 413);
  const text = `customer,device\n${'#'.repeat(200_000)}`;
  assert.equal((await operator.call('POST', '/import', { format: 'csv', text })).status, 400);
});

onBothPortals('roles, tokens, hosts and origins are held', async (portal) => {
  const viewer = await loggedIn(portal, 'vic', 'viewer');
  const operator = await loggedIn(portal, 'oda', 'operator');
  const add = { record: { name: 'new' } };
  assert.equal((await send(portal.operatorPort, 'GET', '/api/fleet')).status, 401);
  assert.equal((await viewer.call('GET', '/fleet')).status, 200);
  assert.deepEqual((await viewer.call('POST', '/records/customer', add)).json, { error: 'notAllowed' });
  assert.equal((await viewer.call('GET', '/export')).status, 403);
  assert.equal((await operator.call('GET', '/operators')).status, 403);
  const post = (headers: Record<string, string>) =>
    send(portal.operatorPort, 'POST', '/api/records/customer', {
      body: add,
      headers: { ...operator.headers, ...headers },
    });
  assert.deepEqual((await post({ 'moat-csrf': 'x' })).json, { error: 'wrongToken' });
  assert.equal((await post({ host: 'evil.example' })).status, 421);
  assert.equal((await post({ origin: 'https://evil.example' })).status, 403);
  assert.equal((await post({ 'sec-fetch-site': 'cross-site' })).status, 403);
  assert.equal((await post({})).status, 200);
  const page = await send(portal.operatorPort, 'GET', '/');
  assert.match(String(page.headers['content-security-policy']), /default-src 'none'; script-src 'self';/);
  for (const path of [
    '/../portal.toml',
    '/%2e%2e/settings/settings.ts',
    '/..%2fservice%2fservice.ts',
    '/.git/config',
  ]) {
    assert.ok([400, 403, 404].includes((await send(portal.operatorPort, 'GET', path)).status), path);
  }
  await send(portal.operatorPort, 'POST', '/api/logout', { headers: operator.headers });
  assert.equal((await operator.call('GET', '/me')).status, 401);
});

onBothPortals('a box is added with its code, shown before it ships, and undone', async (portal) => {
  const operator = await loggedIn(portal, 'oda', 'operator');
  const body = { customer: 'Müller & Söhne', email: 'm@x.example', name: 'home-1', mail: true };
  const preview = await operator.call('POST', '/devices', { ...body, preview: true });
  assert.equal(preview.status, 200, preview.text);
  assert.equal(preview.json.recordCount, 5);
  assert.equal(preview.json.configurations[0].device, 'home-1');
  assert.equal((await operator.call('GET', '/fleet')).json.summary.devices, 0);
  const made = await operator.call('POST', '/devices', body);
  assert.match(made.json.token, /^moat1\.[\w-]+\.[\w-]{43}\.[0-9A-Z-]{23}$/);
  assert.match(made.json.qr, /^<svg /);
  assert.match(made.json.mailedTo, /mail\/.*\.eml$/);
  const box = portal.box();
  const code = made.json.code;
  assert.equal((await box.call('POST', '/device/1/enroll', JSON.stringify({ code }))).status, 200);
  const device = (await operator.call('GET', '/devices/home-1')).json;
  assert.deepEqual(
    [device.facts.state, device.glance.health, device.ranges[0].prefix],
    ['enrolled', 'down', '10.64.0.0/24'],
  );
  assert.deepEqual((await operator.call('GET', '/fleet?search=s%C3%B6hne')).json.devices.length, 1);
  assert.deepEqual((await operator.call('GET', '/fleet?search=%25')).json.devices.length, 0);
  const refused = await operator.call('PATCH', '/records/device/home-1', {
    patch: { settings: { tunnel: { mtu: 7 } } },
  });
  assert.deepEqual([refused.status, refused.json.problems[0].field], [400, 'tunnel.mtu']);
  const [last] = (await operator.call('GET', '/revisions')).json;
  assert.deepEqual([last.author, last.summary], ['enrolment', 'a box enrolled']);
  assert.equal((await operator.call('POST', `/revisions/${last.id}/undo`, {})).status, 200);
  assert.equal((await box.call('GET', '/device/1/config')).status, 401);
});

onBothPortals(
  'no page shows the secret of a zone transfer, not in a preview, a difference or a configuration',
  async (portal) => {
    const owner = await loggedIn(portal, 'ann', 'owner');
    const secret = Buffer.alloc(16, 7).toString('base64');
    const settings = { lan: { interface: 'lan0' } };
    await portal.edit((to) => addRecord(to, 'device', { customer: 'acme', name: 'home-1', settings }));
    const record = { name: 'corp.example', primaries: ['10.1.0.53'], tsigKey: `corp-key:${secret}` };
    const shown: string[] = [];
    for (const body of [{ record, preview: true }, { record }]) {
      shown.push((await owner.call('POST', '/records/dns-zone', body)).text);
    }
    for (const path of [
      '/records/dns-zone',
      '/records/dns-zone/corp.example',
      '/devices/home-1',
      '/export',
      '/revisions/3',
    ]) {
      shown.push((await owner.call('GET', path)).text);
    }
    for (const text of shown) {
      assert.ok(text.includes('corp-key'), text);
      assert.ok(!text.includes(secret), text);
    }
    const back = await owner.call('PATCH', '/records/dns-zone/corp.example', {
      patch: { tsigKey: 'corp-key:[secret]' },
    });
    assert.deepEqual([back.status, back.json.problems[0].field], [400, 'tsigKey']);
    assert.ok(!portal.logged.join('').includes(secret));
  },
);

onBothPortals('an open page hears of a change that somebody else made', async (portal) => {
  const viewer = await loggedIn(portal, 'vic', 'viewer');
  const { get } = await import('node:https');
  const heard: string[] = [];
  const options = { host: '127.0.0.1', port: portal.operatorPort, path: '/api/live', rejectUnauthorized: false };
  const page = get({ ...options, headers: { ...viewer.headers } }, (response) => {
    response.on('data', (chunk) => heard.push(String(chunk)));
    response.on('error', () => {});
  });
  page.on('error', () => {});
  await sleep(300);
  await portal.edit((to) => addRecord(to, 'customer', { name: 'someone' }));
  for (let waited = 0; !heard.join('').includes('revision') && waited < 1500; waited += 50) await sleep(50);
  assert.match(heard.join(''), /event: revision\ndata: \{"revision":2,"configurations":0\}/);
  page.destroy();
});

test('RFC 6238 B: the code of 59 seconds; one step early or late; never twice', () => {
  const secret = Buffer.from('12345678901234567890');
  assert.equal(totpCode(secret, 1), '287082');
  assert.equal(totpCode(secret, Math.floor(1_111_111_109 / 30)), '081804');
  assert.equal(totpStepOf(secret, '287 082', 59_000, 0), 1);
  assert.equal(totpStepOf(secret, '287082', 89_000, 0), 1);
  assert.equal(totpStepOf(secret, '287082', 90_000, 0), null);
  assert.equal(totpStepOf(secret, '287082', 59_000, 1), null);
  assert.deepEqual(fromBase32(toBase32(secret)), secret);
});
