/** Every route with what its schema never expected: no 500, clear words, and the database as it was. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import pino from 'pino';
import { deviceRoutes } from '../device-api/routes.ts';
import { addRecord } from '../facts/fleet.ts';
import { kindNames, kinds } from '../facts/kinds.ts';
import { parseSettings } from '../settings/settings.ts';
import { fieldsOf, hostileText, hostileValue, nearly } from '../testing/hostile.ts';
import { loggedIn, send } from '../testing/operator.ts';
import { onBothPortals, type TestPortal } from '../testing/portal.ts';
import { operatorApp } from './app.ts';
import { Live } from './live.ts';
import { openRoutes } from './login.ts';
import { type Route, routes } from './routes.ts';

/** Field names of records, which most free-form objects hold, and labels that are there. */
const words = [
  ...new Set(kindNames.flatMap((kind) => Object.keys(kinds[kind].fields))),
  ...['acme', 'home-1', 'acme/home-1', 'default', '1', '{"kind":"site"}\n{"kind":"key","publicKey":1}'],
];
const parameter = fc.oneof(
  fc.constantFrom<string>(...kindNames, 'acme', 'home-1', 'acme/home-1', '1', '0', '999'),
  fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 }),
  hostileText,
);
const encoded = (text: string) => encodeURIComponent(text.toWellFormed()) || '%20';
/** More than a check can wait for: MOAT_FUZZ_RUNS=500. */
const numRuns = Number(process.env.MOAT_FUZZ_RUNS ?? 12);
const known = new Set([200, 400, 401, 403, 404, 409, 413, 421, 429]);

function bodyOf(route: Route): fc.Arbitrary<unknown> {
  return route.method === 'GET' ? fc.constant(undefined) : fc.oneof(nearly(route.body, words), hostileValue);
}

function queryOf({ query }: Route): fc.Arbitrary<Record<string, string>> {
  const names = query ? fieldsOf(query) : [];
  return fc.dictionary(fc.constantFrom(...names, 'x'), hostileText, { maxKeys: 3 });
}

function noBug(portal: TestPortal): void {
  const bugs = portal.logged.filter((line) => line.includes('"level":50'));
  assert.deepEqual(bugs, []);
}

onBothPortals('every operator route is fuzzed from its schema', async (portal) => {
  await portal.edit((to) => addRecord(to, 'device', { customer: 'acme', name: 'home-1' }));
  const owner = await loggedIn(portal, 'ann', 'owner');
  const customers = async () => (await portal.database.queries.selectFrom('customers').select('name').execute()).length;
  const before = await customers();
  // `/live` never ends.
  const left = routes.filter(({ path }) => path !== '/live');
  for (const route of left) {
    const two = fc.array(parameter, { minLength: 2, maxLength: 2 });
    const property = fc.asyncProperty(two, queryOf(route), bodyOf(route), async (parameters, queries, sent) => {
      const rest = [...parameters];
      const path = route.path.replace(/:\w+/g, () => encoded(rest.shift() ?? 'x'));
      const search = new URLSearchParams(
        Object.entries(queries).map(([name, text]) => [name, text.toWellFormed()] as [string, string]),
      );
      const reply = await owner.call(route.method, `${path}?${search}`, sent);
      assert.ok(known.has(reply.status), `${route.method} ${path}: ${reply.status} ${reply.text}`);
      if (reply.status !== 400) return;
      const problems = (reply.json as { problems: { message: string }[] } | null)?.problems ?? [];
      const clear = problems.length > 0 && problems.every(({ message }) => message.length > 3);
      assert.ok(clear, `${route.method} ${path}?${search}: ${reply.text}`);
    });
    await fc.assert(property, { numRuns, endOnFailure: true });
  }
  for (const kind of kindNames) {
    const record = Object.fromEntries(Object.keys(kinds[kind].fields).map((field) => [field, { toString: 1 }]));
    assert.equal((await owner.call('POST', `/records/${kind}`, { record })).status, 400, kind);
    const text = JSON.stringify({ kind, ...record });
    assert.equal((await owner.call('POST', '/import', { text, format: 'jsonl' })).status, 400, kind);
  }
  assert.ok((await customers()) >= before);
  noBug(portal);
});

onBothPortals('every open route is fuzzed by somebody unknown', async (portal) => {
  for (const { method, path, body } of openRoutes) {
    const property = fc.asyncProperty(fc.oneof(nearly(body, words), hostileValue), async (given) => {
      const reply = await send(portal.operatorPort, method, `/api${path}`, { body: JSON.stringify(given) ?? '' });
      assert.ok(known.has(reply.status), `${path}: ${reply.status} ${reply.text}`);
    });
    await fc.assert(property, { numRuns, endOnFailure: true });
  }
  noBug(portal);
});

onBothPortals(
  'a field that no schema names is refused by its name, on every route that takes a body',
  async (portal) => {
    const owner = await loggedIn(portal, 'ann', 'owner');
    const all = [...openRoutes, ...routes].flatMap((route) => (route.method === 'GET' ? [] : [route]));
    for (const { method, path } of all) {
      const reply = await owner.call(method, path.replace(/:\w+/g, '1'), { surprise: 1 });
      assert.equal(reply.status, 400, `${method} ${path}: ${reply.text}`);
      assert.match(reply.text, /surprise/, `${method} ${path}`);
    }
  },
);

onBothPortals('no route stands beside the tables that the fuzzer reads', async ({ database, folder }) => {
  const live = new Live();
  const parts = { database, settings: parseSettings('name = "x"', folder), live, log: pino({ enabled: false }) };
  const app = operatorApp({ ...parts, now: Date.now });
  live.close();
  interface Layer {
    readonly route?: { readonly path: string; readonly methods: Readonly<Record<string, boolean>> };
  }
  const stack = (app.router as unknown as { readonly stack: readonly Layer[] }).stack;
  const served = stack.flatMap(({ route }) =>
    route ? Object.keys(route.methods).map((method) => `${method.toUpperCase()} ${route.path}`) : [],
  );
  const listed = [...openRoutes, ...routes].map(({ method, path }) => `${method} /api${path}`);
  assert.deepEqual(served.toSorted(), listed.toSorted());
});

onBothPortals('every device route is fuzzed by a box with a good key', async (portal) => {
  await portal.edit((to) => addRecord(to, 'device', { customer: 'acme', name: 'home-1' }));
  const box = await portal.enrolled('home-1');
  for (const [route, { body }] of Object.entries(deviceRoutes)) {
    const [method = '', path = ''] = route.split(' ');
    const sent = body ? fc.oneof(nearly(body, words), hostileValue) : hostileValue;
    const property = fc.asyncProperty(sent, hostileText, async (given, text) => {
      const query = `?wait=0&x=${encoded(text)}`;
      const condition = { 'if-none-match': text.replace(/[^\x20-\x7e]/g, '').slice(0, 500) };
      const octets = method === 'GET' ? '' : (JSON.stringify(given) ?? '');
      const reply = await box.call(method, `/device/1${path}${query}`, octets, condition);
      const expected = known.has(reply.status) || [204, 304].includes(reply.status);
      assert.ok(expected, `${route}: ${reply.status} ${reply.text}`);
    });
    await fc.assert(property, { numRuns, endOnFailure: true });
  }
  noBug(portal);
});
