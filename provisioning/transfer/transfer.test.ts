import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Database } from '../db/database.ts';
import { openDatabase } from '../db/database.ts';
import { change } from '../facts/change.ts';
import { addFactoryKey, addRecord, setRecord } from '../facts/fleet.ts';
import { Refusal } from '../facts/refusal.ts';
import { newDatabaseAddress, onBoth } from '../testing/databases.ts';
import { firstFacts, request } from '../testing/facts.ts';
import { readCsv, writeCsv } from './csv.ts';
import { exportCsv, exportLines } from './export.ts';
import { importCsv, importLines } from './import.ts';

async function textOf(database: Database, scope: { customer?: string; secrets?: boolean } = {}): Promise<string> {
  const lines: string[] = [];
  for await (const line of exportLines(database.queries, { now: request.now, ...scope })) lines.push(line);
  return `${lines.join('\n')}\n`;
}

async function bodies({ queries }: Database): Promise<string[]> {
  const rows = await queries.selectFrom('compiled').select('body').orderBy('deviceId').execute();
  return rows.map(({ body }) => body);
}

async function fill(database: Database): Promise<void> {
  await firstFacts(database);
  await change(database, request, async (edit) => {
    for (const name of ['home-1', 'home-2', 'home-3']) await addRecord(edit, 'device', { customer: 'acme', name });
    await addRecord(edit, 'customer', { name: '=Bücher & "Söhne", GmbH', email: 'a@b.example' });
    await addRecord(edit, 'device', { customer: '=Bücher & "Söhne", GmbH', name: 'shop', note: 'two\nlines' });
    await setRecord(edit, 'device', 'home-2', { settings: { tunnel: { mtu: 1400 } } });
    await addFactoryKey(edit, 'home-1', Buffer.alloc(32, 3).toString('base64'));
    await addRecord(edit, 'dns-zone', { name: 'corp.example', primaries: ['10.1.0.53'] });
  });
}

const all = { existing: 'refuse' } as const;

onBoth('what is exported and imported elsewhere exports and compiles to the same octets', async (database) => {
  await fill(database);
  const text = await textOf(database);
  const other = await openDatabase(await newDatabaseAddress(database.kind === 'sqlite' ? 'postgres' : 'sqlite'));
  const { result } = await change(other, request, (edit) => importLines(edit, text, all));
  assert.deepEqual(result, {
    customer: 2,
    portal: 1,
    policy: 1,
    'dns-zone': 1,
    pool: 2,
    site: 4,
    range: 8,
    device: 4,
    key: 1,
  });
  assert.equal(await textOf(other), text);
  assert.deepEqual(await bodies(other), await bodies(database));
  await other.close();
});

onBoth('a wrong line is named, and nothing of the file is taken', async (database) => {
  await fill(database);
  const text = await textOf(database);
  const other = await openDatabase(await newDatabaseAddress('sqlite'));
  const refusal = async (changed: string) => {
    const promise = change(other, request, (edit) => importLines(edit, changed, all));
    return promise.then(
      () => 'accepted',
      (error: Error) => (error instanceof Refusal ? error.message : Promise.reject(error)),
    );
  };
  assert.equal(
    await refusal(`${text}{"kind":"cat"}`),
    `line ${text.split('\n').length}: kind: expected one of ${'customer,portal,policy,zone,dns-zone,pool,site,range,device,key,release'}`,
  );
  assert.match(await refusal(text.replace('"slot":1', '"slot":7')), /^line \d+: slot: expected 1/);
  assert.match(await refusal(text.replaceAll('10.64.1.0/24', '10.64.0.0/24')), /^line \d+: (slot|prefix): /);
  assert.match(await refusal('{"kind":"export","version":2}'), /^line 1: version: expected 1/);
  assert.match(await refusal('[]'), /^line 1: expected one JSON object/);
  assert.equal((await textOf(other)).split('\n').length, 2);
  await other.close();
});

onBoth('one customer moves to a portal of another name', async (database) => {
  await fill(database);
  const text = await textOf(database, { customer: 'acme' });
  assert.ok(!text.includes('shop'));
  const other = await openDatabase(await newDatabaseAddress('sqlite'));
  await change(other, request, async (edit) => {
    await addRecord(edit, 'policy', { name: 'default' });
    await addRecord(edit, 'portal', {
      name: 'new',
      ikeId: 'new.example',
      publicKey: Buffer.alloc(32, 90).toString('base64'),
      addresses: ['203.0.113.1'],
      networks: ['10.1.0.0/16'],
      apiUrls: ['https://203.0.113.1:8443'],
      apiKey: Buffer.alloc(32, 91).toString('base64'),
    });
    await importLines(edit, text, { portal: 'new', existing: 'skip' });
  });
  const [body = ''] = await bodies(other);
  assert.deepEqual(JSON.parse(body).peers[0].addresses, ['203.0.113.1']);
  assert.deepEqual(JSON.parse(body).tunnel.networks, ['10.64.0.0/24', 'fd77::/64']);
  await other.close();
});

onBoth('a spreadsheet makes customers, sites and devices, and comes back the same', async (database) => {
  await fill(database);
  const csv = await exportCsv(database.queries);
  assert.ok(csv.includes(`"'=Bücher & ""Söhne"", GmbH"`));
  const other = await openDatabase(await newDatabaseAddress('sqlite'));
  await firstFacts(other);
  const { result } = await change(other, request, (edit) => importCsv(edit, csv, all));
  assert.deepEqual(result, { device: 4 });
  assert.equal(await exportCsv(other.queries), csv);
  const bad = change(other, request, (edit) => importCsv(edit, 'customer,device\nacme,ok-1\nacme,not ok\n', all));
  await assert.rejects(bad, /^Refusal: line 3: name: /);
  await assert.rejects(
    change(other, request, (edit) => importCsv(edit, 'customer,devise\n', all)),
    /devise: unknown col/,
  );
  await other.close();
});

test('any text survives CSV', () => {
  const text = fc.string({ unit: fc.constantFrom('a', '"', ',', '\n', '\r\n', '=', "'", 'é'), minLength: 1 });
  // An apostrophe before a formula sign is the mark of the format itself.
  const field = text.filter((value) => !/^'[=+\-@\t\r]/.test(value));
  fc.assert(
    fc.property(fc.array(fc.array(field, { minLength: 2, maxLength: 3 })), (rows) => {
      assert.deepEqual(
        readCsv(writeCsv(rows)).map(({ fields }) => fields),
        rows,
      );
    }),
  );
});

test('the line of a CSV row is counted over quoted line ends', () => {
  const lines = readCsv('a,b\n"1\n2",x\nc,d').map(({ line }) => line);
  assert.deepEqual(lines, [1, 2, 4]);
  assert.throws(() => readCsv('a\n"b'), /^Refusal: line 2: /);
});

onBoth(
  'the key of a zone transfer is in no export that does not ask, and its place is named on import',
  async (database) => {
    await fill(database);
    const secret = Buffer.alloc(16, 7).toString('base64');
    const zone = {
      name: 'b.example',
      primaries: ['10.1.0.53'],
      tsigKey: `corp-key:${secret}`,
      catalogWithin: ['b.example'],
    };
    await change(database, request, (edit) => addRecord(edit, 'dns-zone', zone));
    await change(database, request, (edit) =>
      setRecord(edit, 'device', 'home-1', { settings: { lan: { interface: 'lan0' } } }),
    );
    const [config] = (await bodies(database)).map((body) => JSON.parse(body));
    assert.deepEqual(config.dns.keys, [{ name: 'corp-key', secret }]);
    assert.deepEqual(config.dns.zones[0].primaries, [{ address: '10.1.0.53', key: 'corp-key' }]);
    assert.deepEqual(config.dns.zones[0].catalog, { within: ['b.example'] });

    const changed = await change(database, request, (edit) =>
      setRecord(edit, 'dns-zone', 'b.example', { tsigKey: `corp-key:${Buffer.alloc(16, 8).toString('base64')}` }),
    );
    assert.deepEqual(changed.records[0]?.fields, [
      { path: 'tsigKey', before: 'corp-key:[secret]', after: 'corp-key:[secret]' },
    ]);
    const open = await textOf(database);
    assert.ok(!open.includes('BwcH') && !open.includes('CAgI') && open.includes('"tsigKey":"corp-key:[secret]"'));
    const empty = async () => openDatabase(await newDatabaseAddress(database.kind));
    const [first, second] = [await empty(), await empty()];
    const imported = (into: Database, text: string) => change(into, request, (edit) => importLines(edit, text, all));
    await assert.rejects(imported(first, open), /line \d+: tsigKey: was left out of what this was read from/);
    const whole = await textOf(database, { secrets: true });
    await imported(second, whole);
    assert.deepEqual(await bodies(second), await bodies(database));
    for (const one of [first, second]) await one.close();
  },
);
