import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addRecord } from '../facts/fleet.ts';
import { loggedIn } from '../testing/operator.ts';
import { startTestPortal } from '../testing/portal.ts';
import { startMailServer } from '../testing/smtp.ts';

test('a welcome mail goes out by SMTP, with the token in it and beside it', async (t) => {
  const server = await startMailServer();
  const portal = await startTestPortal('sqlite', undefined, `[mail]\nsmtp = "smtp://127.0.0.1:${server.port}"\n`);
  t.after(() => portal.close().finally(() => server.close()));
  const operator = await loggedIn(portal, 'oda', 'operator');
  const body = { customer: 'Müller', email: 'm@x.example', name: 'home-1', mail: true };
  const { token, mailedTo, mailProblem } = (await operator.call('POST', '/devices', body)).json;
  assert.deepEqual([mailedTo, mailProblem], ['m@x.example', null]);
  const [mail] = server.received;
  assert.deepEqual(mail?.to, ['m@x.example']);
  const text = mail?.text.replace(/=\n/g, '') ?? '';
  assert.ok(text.includes(`moat enroll ${token}`) && text.includes('filename=moat-enroll.txt'), text);
});

test('a mail that cannot be sent costs neither the box nor its code, and says why', async (t) => {
  const portal = await startTestPortal('sqlite', undefined, '[mail]\nsmtp = "smtp://ann:hush@127.0.0.1:1"\n');
  t.after(() => portal.close());
  const operator = await loggedIn(portal, 'oda', 'operator');
  const box = { customer: 'acme', name: 'home-1', mail: true };
  const made = await operator.call('POST', '/devices', box);
  assert.equal(made.status, 200, made.text);
  assert.match(made.json.token, /^moat1\./);
  assert.equal(made.json.mailProblem, "email: customer 'acme' has no e-mail address");
  await portal.edit((to) => addRecord(to, 'customer', { name: 'Müller', email: 'm@x.example' }));
  const other = await operator.call('POST', '/devices', { customer: 'Müller', name: 'home-2', mail: true });
  assert.match(other.json.mailProblem, /ECONNREFUSED/);
  const events = (await operator.call('GET', '/events')).json as { kind: string; detail: string }[];
  assert.equal(events.filter(({ kind }) => kind === 'mailFailed').length, 2);
  assert.ok(!JSON.stringify([events, portal.logged, other.json]).includes('hush'));
});
