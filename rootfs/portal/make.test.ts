import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { compilePortal } from '../../provisioning/compile/device.ts';
import { portalFacts } from '../../provisioning/compile/facts.ts';
import { openDatabase } from '../../provisioning/db/database.ts';
import { change } from '../../provisioning/facts/change.ts';
import { addRecord, setRecord } from '../../provisioning/facts/fleet.ts';
import { login } from '../../provisioning/operator-api/operators.ts';
import { fromBase32, totpCode, totpStep } from '../../provisioning/operator-api/passwords.ts';
import { parseSettings } from '../../provisioning/settings/settings.ts';
import { type PortalSeed, parsePortalSeed } from '../box/portal-seed.ts';
import { backUp, backupName, backupsIn, copyMissing, isDue, keepNewest } from './backups.ts';
import { settingsText } from './facts.ts';
import { applySeed, isWhole, makePortal, putKeys, readKeys, restorePortal } from './make.ts';

const now = Date.UTC(2026, 10, 22, 14, 30);
const given = {
  role: 'portal',
  name: 'hq',
  portal: { addresses: ['198.51.100.10'], networks: ['10.1.0.0/16'], operator: 'ann', hosts: ['portal.corp.example'] },
  company: { addresses: ['10.1.0.5/16'] },
};

function seedWith(portal: object = {}, more: object = {}): PortalSeed {
  // As it comes to start.ts: through a file.
  return JSON.parse(JSON.stringify(parsePortalSeed({ ...given, ...more, portal: { ...given.portal, ...portal } })));
}

function word(text: string, name: string): string {
  return new RegExp(`^${name}: (.*)$`, 'm').exec(text)?.[1] ?? '';
}

async function inFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const parent = mkdtempSync(join(tmpdir(), 'moat-flashed-'));
  try {
    await work(join(parent, 'portal'));
  } finally {
    rmSync(parent, { recursive: true, force: true });
  }
}

async function within<T>(
  folder: string,
  work: (database: Awaited<ReturnType<typeof openDatabase>>) => Promise<T>,
): Promise<T> {
  const database = await openDatabase(`sqlite:${join(folder, 'moat.db')}`);
  try {
    return await work(database);
  } finally {
    await database.close();
  }
}

test('the first start makes a portal whose first operator gets in with what the file says', () =>
  inFolder(async (folder) => {
    await makePortal(folder, seedWith(), {}, now);
    const text = readFileSync(join(folder, 'first-operator.txt'), 'utf8');
    assert.equal(word(text, 'page'), 'https://10.1.0.5:8444');
    const totp = totpCode(fromBase32(word(text, 'authenticator secret')), totpStep(now));
    const who = { name: word(text, 'name'), password: word(text, 'password'), totp };
    assert.ok(await within(folder, (database) => login(database, who, now)), 'the file lets its reader in');
    assert.equal(await within(folder, (database) => login(database, { ...who, password: 'x' }, now + 60_000)), null);
    assert.equal(statSync(join(folder, 'first-operator.txt')).mode & 0o077, 0);
    assert.deepEqual(readdirSync(join(folder, '..')), ['portal'], 'nothing unfinished is left');
  }));

test('a start that was cut while the portal was being made begins again', () =>
  inFolder(async (folder) => {
    await makePortal(`${folder}.cut`, seedWith(), {}, now);
    // What a cut leaves: a folder without its place, here even a finished one of another password.
    await restoreLeftover(`${folder}.cut`, `${folder}.new`);
    assert.equal(isWhole(folder), false);
    await makePortal(folder, seedWith(), {}, now);
    assert.ok(isWhole(folder));
    assert.equal(existsSync(`${folder}.new`), false);
  }));

async function restoreLeftover(from: string, to: string): Promise<void> {
  const { renameSync } = await import('node:fs');
  renameSync(from, to);
  rmSync(join(to, 'portal.toml'));
}

test('keys of the vault are taken over, and those that are there stay', () =>
  inFolder(async (folder) => {
    await makePortal(folder, seedWith(), {}, now);
    const keys = readKeys(folder);
    assert.equal(Object.keys(keys).length, 5);
    rmSync(folder, { recursive: true });
    await makePortal(folder, seedWith(), keys, now);
    assert.deepEqual(readKeys(folder), keys);
    rmSync(join(folder, 'identity.key'));
    putKeys(folder, { ...keys, 'device-api.key': 'another' });
    assert.deepEqual(readKeys(folder), keys);
  }));

async function portalRow(folder: string) {
  return within(folder, ({ queries }) => queries.selectFrom('portals').selectAll().executeTakeFirstOrThrow());
}

test('moat.toml is told to the fleet when a person changed it, and not over what operators changed', () =>
  inFolder(async (folder) => {
    await makePortal(folder, seedWith(), {}, now);
    assert.equal(await applySeed(folder, seedWith(), now), true);
    assert.equal(await applySeed(folder, seedWith(), now), false);
    await within(folder, (database) =>
      change(database, { author: 'ann', summary: 'test', now }, (edit) =>
        setRecord(edit, 'portal', 'hq', {
          networks: ['10.1.0.0/16', '10.2.0.0/16'],
          settings: { tunnel: { mtu: 1400 } },
        }),
      ),
    );
    assert.equal(await applySeed(folder, seedWith(), now), false);
    assert.deepEqual(JSON.parse((await portalRow(folder)).networks), ['10.1.0.0/16', '10.2.0.0/16']);
    assert.equal(
      await applySeed(folder, seedWith({ addresses: ['203.0.113.7'] }, { time: ['10.1.0.123'] }), now),
      true,
    );
    const row = await portalRow(folder);
    assert.deepEqual(JSON.parse(row.addresses), ['203.0.113.7']);
    assert.deepEqual(JSON.parse(row.apiUrls), ['https://203.0.113.7:8443']);
    const settings = JSON.parse(row.settings);
    assert.deepEqual(settings.tunnel, { mtu: 1400 });
    assert.deepEqual(settings.ntp.sources, [{ host: '10.1.0.123' }]);
    assert.match(compilePortal(portalFacts(row), []), /"interface":"work0"/, 'the tunnel end takes it');
  }));

test('portal.toml keeps the page on the side of the company', () => {
  const settings = parseSettings(settingsText('hq', seedWith()), '/nowhere');
  assert.equal(settings.operatorApi.listen, '10.1.0.5');
  assert.deepEqual(settings.operatorApi.hosts, ['10.1.0.5:8444', 'portal.corp.example:8444']);
  assert.equal(settings.deviceApi.port, 8443);
  assert.equal(settings.metrics.listen, '127.0.0.1');
  const mail = { from: 'moat <a@b.example>', smtp: 'smtp://u:"p\\@mail' };
  assert.deepEqual(parseSettings(settingsText('hq', seedWith({}, { mail })), '/nowhere').mail.smtp, mail.smtp);
});

test('a backup brings back database and keys; a damaged database is seen, a damaged backup changes nothing', () =>
  inFolder(async (folder) => {
    const backups = `${folder}-backups`;
    await makePortal(folder, seedWith(), {}, now);
    await within(folder, (database) =>
      change(database, { author: 'ann', summary: 'test', now }, (edit) =>
        addRecord(edit, 'customer', { name: 'acme' }),
      ),
    );
    const keys = readKeys(folder);
    const name = await backUp(folder, backups, now);
    assert.equal(name, '20261122T143000Z');
    writeFileSync(join(folder, 'moat.db'), Buffer.alloc(65_536, 7));
    rmSync(join(folder, 'moat.db-wal'), { force: true });
    assert.equal(isWhole(folder), false);
    await restorePortal(folder, join(backups, name));
    assert.ok(isWhole(folder));
    assert.deepEqual(readKeys(folder), keys);
    const customers = await within(folder, ({ queries }) => queries.selectFrom('customers').select('name').execute());
    assert.deepEqual(customers, [{ name: 'acme' }]);
    writeFileSync(join(backups, name, 'database.sqlite'), 'nonsense');
    await assert.rejects(restorePortal(folder, join(backups, name)));
    assert.ok(isWhole(folder), 'the portal stays');
  }));

test('a backup a day; a stick gets what it lacks; the oldest go', () =>
  inFolder(async (folder) => {
    const hour = 3_600_000;
    assert.equal(isDue([], now), true);
    assert.equal(isDue([backupName(now - hour)], now), false);
    assert.equal(isDue([backupName(now - 21 * hour)], now), true);
    assert.equal(isDue([backupName(now + 9000 * hour)], now), true, 'one from the future is not believed');
    await makePortal(folder, seedWith(), {}, now);
    const [own, stick] = [`${folder}-backups`, `${folder}-stick`];
    for (const day of [0, 1, 2]) await backUp(folder, own, now + day * 24 * hour);
    keepNewest(own, 2);
    assert.deepEqual(backupsIn(own), ['20261123T143000Z', '20261124T143000Z']);
    assert.deepEqual(copyMissing(own, stick), ['20261123T143000Z', '20261124T143000Z']);
    assert.deepEqual(copyMissing(own, stick), []);
    rmSync(folder, { recursive: true });
    await restorePortal(folder, join(stick, '20261124T143000Z'));
    assert.ok(isWhole(folder));
  }));
