import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { test } from 'node:test';
import { openDatabase } from '../db/database.ts';
import { listen } from './servers.ts';

test('a port that is taken and an address that is not ours are named by their place in portal.toml', async () => {
  const [first, second] = [createServer(), createServer()];
  await listen(first, 'deviceApi', { listen: '127.0.0.1', port: 0 });
  const { port } = first.address() as { port: number };
  await assert.rejects(listen(second, 'deviceApi', { listen: '127.0.0.1', port }), {
    name: 'Refusal',
    message: `deviceApi.port: ${port} is used by another program`,
  });
  await assert.rejects(listen(second, 'metrics', { listen: '203.0.113.1', port: 0 }), {
    message: "metrics.listen: '203.0.113.1' is no address of this machine",
  });
  first.close();
});

test('a database that cannot be opened is named, without its password', async () => {
  await assert.rejects(
    openDatabase('sqlite:/nowhere/moat.db'),
    /^Error: database: \/nowhere\/moat\.db: unable to open/,
  );
  await assert.rejects(openDatabase('postgres://moat:hush@127.0.0.1:1/moat'), (error: Error) => {
    assert.match(error.message, /^database: PostgreSQL at 127\.0\.0\.1:1: .*ECONNREFUSED/);
    assert.ok(!error.message.includes('hush'));
    return true;
  });
});
