/** Every route with what its schema never expected: no 500, clear words, and the database as it was. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { deviceRoutes } from '../device-api/routes.ts';
import { addRecord } from '../facts/fleet.ts';
import { kindNames, kinds } from '../facts/kinds.ts';
import { loggedIn } from '../testing/operator.ts';
import { onBothPortals } from '../testing/portal.ts';
import { routes } from './routes.ts';

const hostile = fc.constantFrom<unknown>(
  '',
  "'; drop table customers; --",
  '" or 1=1',
  '%',
  '_',
  '\\',
  '<script>alert(1)</script>',
  'a\r\nSet-Cookie: x=1',
  '../../etc/passwd',
  '\u0000',
  '\ud800',
  '__proto__',
  'constructor',
  '🏰'.repeat(100),
  'x'.repeat(5000),
  null,
  true,
  -1,
  1e308,
  0.5,
  [],
  {},
  [[[[]]]],
  { toString: 1 },
);
const hostileText = hostile.map((one) => (typeof one === 'string' ? one : JSON.stringify(one)));
const value = fc.oneof({ weight: 3, arbitrary: hostile }, { weight: 1, arbitrary: fc.jsonValue({ maxDepth: 3 }) });
const names = [...new Set(kindNames.flatMap((kind) => Object.keys(kinds[kind].fields)))];
const record = fc.dictionary(fc.constantFrom(...names, '__proto__', 'x'), value, { maxKeys: 6 });
/** Bodies near enough to right ones that they come through the first gate. */
const body = fc.oneof(
  value,
  record,
  fc.record(
    {
      record,
      patch: record,
      to: value,
      customer: value,
      name: value,
      policy: value,
      note: value,
      email: value,
      mail: value,
      hours: value,
      text: fc.oneof(value, fc.string(), fc.constant('{"kind":"site"}\n{"kind":"key","publicKey":1}')),
      format: fc.constantFrom('csv', 'jsonl', 1),
      role: value,
      preview: fc.constantFrom(true, false, 'yes'),
    },
    { requiredKeys: [] },
  ),
);
const parameter = fc.oneof(
  fc.constantFrom<string>(...kindNames, 'acme', 'home-1', 'acme/home-1', '1', '0', '999'),
  fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 }),
  hostileText,
);
const query = fc.dictionary(
  fc.constantFrom('search', 'health', 'after', 'before', 'limit', 'device', 'archived', 'format', 'x'),
  hostileText,
  { maxKeys: 3 },
);

const encoded = (text: string) => encodeURIComponent(text.toWellFormed()) || '%20';
/** More than a check can wait for: MOAT_FUZZ_RUNS=500. */
const numRuns = Number(process.env.MOAT_FUZZ_RUNS ?? 12);
const known = new Set([200, 400, 401, 403, 404, 409, 413, 429]);

onBothPortals('every operator route is fuzzed from its schema', async (portal) => {
  await portal.edit((to) => addRecord(to, 'device', { customer: 'acme', name: 'home-1' }));
  const owner = await loggedIn(portal, 'ann', 'owner');
  const tables = async () => (await portal.database.queries.selectFrom('customers').select('name').execute()).length;
  const before = await tables();
  for (const route of routes.filter(({ path }) => path !== '/live')) {
    const property = fc.asyncProperty(
      fc.array(parameter, { minLength: 2, maxLength: 2 }),
      query,
      body,
      async (parameters, queries, sent) => {
        const left = [...parameters];
        const path = route.path.replace(/:\w+/g, () => encoded(left.shift() ?? 'x'));
        const search = new URLSearchParams(
          Object.entries(queries).map(([name, text]) => [name, text.toWellFormed()] as [string, string]),
        );
        const reply = await owner.call(route.method, `${path}?${search}`, route.method === 'GET' ? undefined : sent);
        assert.ok(known.has(reply.status), `${route.method} ${path}: ${reply.status} ${reply.text}`);
        assert.ok(
          reply.status !== 400 || reply.json,
          `${route.method} ${path}?${search}: ${reply.text} ${JSON.stringify(reply.headers)}`,
        );
        if (reply.status === 400)
          assert.ok(
            reply.json.problems.every((one: { message: string }) => one.message.length > 3),
            reply.text,
          );
      },
    );
    await fc.assert(property, { numRuns, endOnFailure: true });
  }
  for (const kind of kindNames) {
    const fields = Object.keys(kinds[kind].fields);
    const record = Object.fromEntries(fields.map((field) => [field, { toString: 1 }]));
    assert.equal((await owner.call('POST', `/records/${kind}`, { record })).status, 400, kind);
    const text = JSON.stringify({ kind, ...record });
    assert.equal((await owner.call('POST', '/import', { text, format: 'jsonl' })).status, 400, kind);
  }
  assert.ok((await tables()) >= before);
  assert.ok(
    !portal.logged.join('').includes('"level":50'),
    portal.logged.filter((line) => line.includes('"level":50')).join(''),
  );
});

onBothPortals('every device route is fuzzed by a box with a good key', async (portal) => {
  await portal.edit((to) => addRecord(to, 'device', { customer: 'acme', name: 'home-1' }));
  const box = await portal.enrolled('home-1');
  const status = fc.record(
    {
      version: value,
      health: fc.constantFrom('up', 'x'),
      doctor: value,
      appliedRevision: value,
      confirmedRevision: value,
      refused: value,
      tunnel: value,
      update: value,
    },
    { requiredKeys: [] },
  );
  for (const route of Object.keys(deviceRoutes)) {
    const [method = '', path = ''] = route.split(' ');
    const sent = fc.oneof(status, body, fc.record({ publicKey: value, code: value }, { requiredKeys: [] }));
    const property = fc.asyncProperty(sent, hostileText, async (given, text) => {
      const query = `?wait=0&x=${encoded(text)}`;
      const condition = { 'if-none-match': text.replace(/[^\x20-\x7e]/g, '').slice(0, 500) };
      const reply = await box.call(
        method,
        `/device/1${path}${query}`,
        method === 'GET' ? '' : JSON.stringify(given),
        condition,
      );
      assert.ok(
        known.has(reply.status) || [204, 304].includes(reply.status),
        `${route}: ${reply.status} ${reply.text}`,
      );
    });
    await fc.assert(property, { numRuns, endOnFailure: true });
  }
  assert.ok(!portal.logged.join('').includes('"level":50'), portal.logged.join(''));
});
