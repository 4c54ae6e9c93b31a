import assert from 'node:assert/strict';
import { parseConfig } from '../../appliance/config/schema.ts';
import type { Database } from '../db/database.ts';
import { onBoth } from '../testing/databases.ts';
import { firstFacts, request } from '../testing/facts.ts';
import { type ChangeRequest, change } from './change.ts';
import type { Edit } from './edit.ts';
import { addCode, announceKey, codeFrom, enrolByCode, enrolByFactoryKey, hashOfCode, promoteKey } from './enrolment.ts';
import {
  addFactoryKey,
  addRecord,
  archiveRecord,
  redirectDevice,
  renumberSite,
  revokeDevice,
  setRecord,
} from './fleet.ts';
import { purge } from './purge.ts';
import { Refusal } from './refusal.ts';
import { listRevisions, revisionDifferences, undoRevision } from './revisions.ts';

const keyOf = (octet: number) => Buffer.alloc(32, octet).toString('base64');

function edit<T>(database: Database, work: (edit: Edit) => Promise<T>, more: Partial<ChangeRequest> = {}) {
  return change(database, { ...request, ...more }, work);
}

const addHome = (database: Database, name: string) =>
  edit(database, (to) => addRecord(to, 'device', { customer: 'acme', name }));

async function compiled({ queries }: Database, name: string) {
  const row = await queries
    .selectFrom('compiled')
    .innerJoin('devices', 'devices.id', 'compiled.deviceId')
    .select(['compiled.revision', 'compiled.body', 'compiled.peer', 'compiled.fleetRevision'])
    .where('devices.name', '=', name)
    .executeTakeFirstOrThrow();
  return { ...row, config: JSON.parse(row.body) };
}

async function refusal(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
  } catch (error) {
    assert.ok(error instanceof Refusal, String(error));
    return error.message;
  }
  return 'accepted';
}

onBoth('a device gets a site, a range of each pool, and a configuration that the box reads', async (database) => {
  await firstFacts(database);
  const { revision } = await addHome(database, 'home-1');
  await addHome(database, 'home-2');
  assert.equal(revision, 2);
  const one = await compiled(database, 'home-1');
  assert.deepEqual(one.config.tunnel.networks, ['10.64.0.0/24', 'fd77::/64']);
  assert.deepEqual(one.config.tunnel.sourceAddresses, ['10.64.0.1', 'fd77::1']);
  assert.equal(parseConfig({ ...one.config, revision: one.revision }).peers[0]?.name, 'portal');
  assert.equal(one.peer, ''); // not enrolled: it may not call yet
  assert.deepEqual((await compiled(database, 'home-2')).config.tunnel.networks, ['10.64.1.0/24', 'fd77:0:0:1::/64']);
});

onBoth('one change compiles one; a refused one saves nothing', async (database) => {
  await firstFacts(database);
  for (const name of ['home-1', 'home-2', 'home-3']) await addHome(database, name);
  const set = (mtu: number) =>
    edit(database, (to) => setRecord(to, 'device', 'home-2', { settings: { tunnel: { mtu } } }));
  const { configurations } = await set(9000);
  assert.deepEqual(
    configurations.map(({ device, revision }) => [device, revision]),
    [['home-2', 2]],
  );
  assert.equal((await compiled(database, 'home-2')).config.tunnel.mtu, 9000);
  assert.equal(
    await refusal(set(100)),
    'tunnel.mtu: expected at least 1280, found 100 (in the configuration of home-2)',
  );
  assert.equal((await compiled(database, 'home-2')).config.tunnel.mtu, 9000);
  assert.equal((await listRevisions(database.queries, {}))[0]?.id, 5);
  const everywhere = await edit(database, (to) => setRecord(to, 'portal', 'portal', { networks: ['10.2.0.0/16'] }));
  assert.equal(everywhere.configurations.length, 3);
});

onBoth('wrong fields are named', async (database) => {
  await firstFacts(database);
  await addHome(database, 'home-1');
  const add = (kind: 'device' | 'pool' | 'customer' | 'site' | 'release', record: Record<string, unknown>) =>
    refusal(edit(database, (to) => addRecord(to, kind, record)));
  assert.match(
    await add('device', { customer: 'acme', name: 'home-1' }),
    /^name: 'acme\/home-1' is taken by another site/,
  );
  assert.equal(await add('device', { customer: 'nobody', name: 'x' }), "customer: there is no customer 'nobody'");
  assert.match(await add('device', { customer: 'acme', name: 'a b' }), /^name: expected 1 to 63/);
  assert.match(await add('device', { site: 'acme/home-1', name: 'b' }), /^site: 'acme\/home-1' is served by 'home-1'/);
  assert.match(
    await add('pool', { name: 'p', prefix: '10.64.128.0/17', siteLength: 24 }),
    /^prefix: .* overlaps pool 'v4'/,
  );
  assert.match(
    await add('pool', { name: 'p', prefix: '10.9.0.0/16', siteLength: 8 }),
    /^siteLength: expected 16 to 32/,
  );
  assert.equal(await add('customer', { name: 'acme' }), "name: 'acme' is taken by another customer");
  assert.equal(await add('customer', { name: 'b', nmae: 1 }), 'nmae: unknown field');
  const release = { name: '1.1.0', sha256: '0'.repeat(64) };
  assert.match(await add('release', { ...release, url: 'file:///etc/passwd' }), /^url: expected an address/);
  await edit(database, (to) => addRecord(to, 'release', { ...release, url: 'http://10.1.0.80/files/1.1.0.bundle' }));
  const reserved = { customer: 'acme', name: 's', settings: { identity: {}, tunnel: { networks: [] } } };
  assert.match(await add('site', reserved), /settings\.identity: .*\nsettings\.tunnel\.networks: /);
  const polluting = JSON.parse('{"customer":"acme","name":"s2","settings":{"__proto__":{"mtu":1},"x":1}}');
  await edit(database, (to) => addRecord(to, 'site', polluting));
  assert.match(await add('device', { site: 'acme/s2', name: 'p' }), /^x: unknown field[^\n]*$/);
  assert.equal(({} as { mtu?: number }).mtu, undefined);
});

onBoth('a pool that is used up says so; what is purged can be given again', async (database) => {
  await firstFacts(database);
  await edit(database, (to) => addRecord(to, 'pool', { name: 'tiny', prefix: '10.9.0.0/30', siteLength: 31 }));
  await addHome(database, 'a');
  await addHome(database, 'b');
  assert.match(await refusal(addHome(database, 'c')), /^pool: pool 'tiny' is used up: 2 ranges/);
  await edit(database, (to) => archiveRecord(to, 'site', 'acme/a'));
  assert.match(await refusal(addHome(database, 'c')), /used up/);
  assert.deepEqual(await purge(database, request.now + 1), { device: 1, range: 3, site: 1 });
  await addHome(database, 'c');
  assert.equal((await compiled(database, 'c')).config.tunnel.networks[2], '10.9.0.0/31');
});

onBoth(
  'a site is renumbered: a range of the same family goes, the other stays, and undo brings it back',
  async (database) => {
    await firstFacts(database);
    await addHome(database, 'home-1');
    const networks = async () => (await compiled(database, 'home-1')).config.tunnel.networks;
    const before = await networks();
    await edit(database, (to) => addRecord(to, 'pool', { name: 'second', prefix: '10.200.0.0/16', siteLength: 24 }));
    const { revision } = await edit(database, (to) => renumberSite(to, 'acme/home-1', 'second'));
    assert.deepEqual(await networks(), ['fd77::/64', '10.200.0.0/24']);
    await edit(database, (to) => undoRevision(to, revision ?? 0));
    assert.deepEqual(await networks(), before);
  },
);

onBoth('every change can be undone, unless that would lose a later one', async (database) => {
  await firstFacts(database);
  await addHome(database, 'home-1');
  const set = (patch: Record<string, unknown>) => edit(database, (to) => setRecord(to, 'device', 'home-1', patch));
  const first = await set({ settings: { tunnel: { mtu: 2000 } }, note: 'n' });
  const second = await set({ settings: { tunnel: { mtu: 3000 } } });
  const undo = (revision: number | null) => edit(database, (to) => undoRevision(to, revision ?? 0));
  assert.match(await refusal(undo(first.revision)), /^settings: of device home-1 has been changed again/);
  assert.deepEqual(await revisionDifferences(database.queries, second.revision ?? 0), [
    {
      kind: 'device',
      label: 'home-1',
      what: 'changed',
      fields: [{ path: 'settings.tunnel.mtu', before: 2000, after: 3000 }],
    },
  ]);
  const back = await undo(second.revision);
  await undo(first.revision);
  assert.equal((await compiled(database, 'home-1')).config.tunnel.mtu, undefined);
  assert.match(await refusal(undo(back.revision)), /changed again/);
  const gone = await edit(database, (to) => archiveRecord(to, 'customer', 'acme'));
  assert.equal(gone.changes.length, 5); // customer, site, two ranges, device
  await undo(gone.revision);
  assert.match(await refusal(addHome(database, 'home-1')), /^name: 'acme\/home-1' is taken/);
});

onBoth('a preview tells everything and saves nothing', async (database) => {
  await firstFacts(database);
  const { configurations, changes } = await edit(
    database,
    (to) => addRecord(to, 'device', { customer: 'acme', name: 'home-1' }),
    { preview: true },
  );
  assert.equal(configurations.length, 1);
  assert.deepEqual(
    changes.map(({ kind, label }) => [kind, label]),
    [
      ['site', 'acme/home-1'],
      ['range', '10.64.0.0/24'],
      ['range', 'fd77::/64'],
      ['device', 'home-1'],
    ],
  );
  assert.equal((await listRevisions(database.queries, {})).length, 1);
});

onBoth('a code enrols one key, once, in time', async (database) => {
  await firstFacts(database);
  await addHome(database, 'home-1');
  const code = codeFrom(new Uint8Array(20).fill(33));
  const now = request.now;
  await addCode(database, { device: 'home-1', code, now, lifetimeSeconds: 60 });
  const enrol = async (text: string, key: string, at = now) =>
    (await edit(database, (to) => enrolByCode(to, text, key), { now: at })).result;
  assert.equal(await enrol(code, keyOf(1), now + 60_000), null);
  assert.equal(await enrol('00000-00000-00000-00000', keyOf(1)), null);
  assert.equal(await enrol(code.toLowerCase().replaceAll('-', ' '), keyOf(1)), 'home-1');
  assert.equal(await enrol(code, keyOf(1)), 'home-1'); // its answer was lost
  assert.equal(await enrol(code, keyOf(2)), null);
  const { peer } = await compiled(database, 'home-1');
  assert.equal(JSON.parse(peer).publicKey, keyOf(1));
  const stored = JSON.stringify(await database.queries.selectFrom('enrolCodes').selectAll().execute());
  assert.ok(!stored.includes(code) && stored.includes(hashOfCode(code)));
  await edit(database, (to) => revokeDevice(to, 'home-1'));
  assert.equal((await compiled(database, 'home-1')).peer, '');
  assert.equal(await enrol(code, keyOf(1)), null);
});

onBoth('a factory key enrols without a code; rotation overlaps', async (database) => {
  await firstFacts(database);
  await addHome(database, 'home-1');
  await edit(database, (to) => addFactoryKey(to, 'home-1', keyOf(3)));
  assert.equal((await edit(database, (to) => enrolByFactoryKey(to, keyOf(9)))).result, null);
  assert.equal((await edit(database, (to) => enrolByFactoryKey(to, keyOf(3)))).result, 'home-1');
  const { id } = await database.queries.selectFrom('devices').select('id').executeTakeFirstOrThrow();
  await edit(database, (to) => announceKey(to, id, keyOf(4)));
  assert.equal(JSON.parse((await compiled(database, 'home-1')).peer).publicKey, keyOf(3));
  await edit(database, (to) => promoteKey(to, id, keyOf(4)));
  assert.equal(JSON.parse((await compiled(database, 'home-1')).peer).publicKey, keyOf(4));
  assert.match(await refusal(edit(database, (to) => announceKey(to, id, keyOf(3)))), /used before/);
  const to = { apiUrls: ['https://new.example:8443'], apiKey: keyOf(5) };
  const { fleetRevision } = await compiled(database, 'home-1');
  await edit(database, (into) => redirectDevice(into, 'home-1', to));
  const redirected = await compiled(database, 'home-1');
  // Until the new portal has proven itself it may come back; and it has to hear of it.
  assert.equal(JSON.parse(redirected.peer).publicKey, keyOf(4));
  assert.ok(redirected.fleetRevision > fleetRevision);
});
