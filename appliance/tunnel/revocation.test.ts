import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, test } from 'node:test';
import { pino } from 'pino';
import type { LoadedConfig } from '../config/files.ts';
import type { Peer } from '../ike/api.ts';
import { identificationOf } from '../ike/wire/identification.ts';
import { issue, issueList, newKey } from '../ike/x509/issue.ts';
import { Trust } from '../ike/x509/trust.ts';
import { RevocationLists } from './revocation.ts';
import { RevocationStore } from './revocation-store.ts';

const root = issue({ subject: 'CN=Root', key: newKey('p256'), ca: true, keyUsage: '06' }, null);
const impostor = issue({ subject: 'CN=Root', key: newKey('p256'), ca: true, keyUsage: '06' }, null);
const leaf = issue({ subject: 'CN=gw', key: newKey('p256'), dns: ['gw.example'], serial: 7 }, root);
const [january, june] = [Date.UTC(2026, 0, 2), Date.UTC(2026, 5, 1)];
const at = Date.UTC(2026, 10, 22);

const directory = mkdtempSync(join(tmpdir(), 'moat-revocation-'));
let served: Uint8Array | string | null = null;
let url = '';
const server = createServer((_, response) => {
  if (served === null) response.writeHead(503).end();
  else response.end(served);
});

before(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/list.crl`;
});
after(() => {
  server.close();
  rmSync(directory, { recursive: true });
});
beforeEach(() => rmSync(join(directory, 'lists'), { recursive: true, force: true }));

const store = () => new RevocationStore(join(directory, 'lists'));
const files = () => readdirSync(join(directory, 'lists'));

/** A life of the service, in which the server has this to give. What it thinks of the certificate then. */
async function live(gives: typeof served, address = url): Promise<'good' | 'revoked' | string> {
  served = gives;
  const trust = new Trust({ authorities: [root.der], revocation: 'ifAvailable' });
  const peers = [{ name: 'gw', x509: { revocationListUrls: [address] } }];
  const loaded = { config: { peers }, trust: new Map() } as unknown as LoadedConfig;
  const lists = new RevocationLists(pino({ level: 'silent' }), store());
  const { refreshed } = await lists.configure(loaded, [
    { name: 'gw', remoteAuth: { kind: 'x509', trust } } as unknown as Peer,
  ]);
  await refreshed;
  lists.stop();
  return trust.judge([leaf.der], identificationOf({ kind: 'fqdn', value: 'gw.example' }), at)?.reason ?? 'good';
}

test('a list outlives the process, also without a network', async () => {
  assert.equal(await live(issueList(root, [7])), 'revoked');
  assert.equal(files().length, 1);
  assert.equal(await live(null), 'revoked');
});

test('what is no list, is signed by somebody else or is older takes no good one from its place', async () => {
  assert.equal(await live(issueList(root, [7], { thisUpdate: june })), 'revoked');
  const bad = ['<html>Please pay</html>', issueList(impostor, []), issueList(root, [], { thisUpdate: january })];
  for (const each of bad) {
    assert.equal(await live(each), 'revoked');
    assert.equal(await live(null), 'revoked');
  }
});

test('a newer list takes its place', async () => {
  assert.equal(await live(issueList(root, [7], { thisUpdate: january })), 'revoked');
  assert.equal(await live(issueList(root, [], { thisUpdate: june })), 'good');
  assert.equal(await live(null), 'good');
});

test('a file that is damaged is no list; what is not configured any more leaves the disk', async () => {
  await live(issueList(root, [7]));
  const [name = ''] = files();
  writeFileSync(join(directory, 'lists', name), 'damaged');
  writeFileSync(join(directory, 'lists', `${name}.new`), 'half of one');
  assert.equal(await live(null), 'good');
  assert.equal(await live(issueList(root, [7]), `${url}?other`), 'revoked');
  assert.equal(files().length, 1);
  assert.ok(!files().includes(name));
});
