import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { gunzipSync, zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import { addRecord } from '../facts/fleet.ts';
import { partitionAt, smallDisk } from '../testing/disk.ts';
import { loggedIn, type TestOperator } from '../testing/operator.ts';
import { onBothPortals, type TestPortal } from '../testing/portal.ts';
import { withFile } from './personal.ts';

const token = `moat1.aHR0cHM6Ly94.${'A'.repeat(43)}.AAAAA-BBBBB-CCCCC-DDDDD`;
const file = { name: 'moat-enroll.txt', content: Buffer.from(`${token}\n`), at: Date.UTC(2026, 10, 22, 12, 34, 56) };

async function* inChunks(disk: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < disk.length; at += size) yield disk.subarray(at, at + size);
}

async function personal(disk: Buffer, size = 10_000): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of withFile(inChunks(disk, size), file)) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** What mtools, which know nothing of us, find on it. */
function readBack(disk: Buffer, words: readonly string[]): string {
  const folder = mkdtempSync(join(tmpdir(), 'moat-disk-'));
  const path = join(folder, 'disk.img');
  writeFileSync(path, disk);
  try {
    const [program = '', ...rest] = words;
    return execFileSync(program, ['-i', `${path}@@${partitionAt}`, ...rest], { encoding: 'utf8' });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test('whatever the pieces that it comes in, the same octets differ, and no others', async () => {
  const disk = smallDisk();
  const whole = await personal(disk, disk.length);
  assert.equal(whole.length, disk.length);
  const differ = [...disk.keys()].filter((at) => disk[at] !== whole[at]);
  // Two tables, three entries of the directory, one cluster.
  assert.ok(differ.length < 4 + 96 + file.content.length, String(differ.length));
  assert.ok(differ.every((at) => at >= partitionAt && at < partitionAt + 5000 * 512));
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 200, max: 100_000 }), async (size) => {
      assert.ok((await personal(disk, size)).equals(whole));
    }),
    { numRuns: 10 },
  );
});

const hasTools = existsSync('/usr/bin/mtype');
test('other programs find the file under its long name', { skip: !hasTools && 'no mtools here' }, async () => {
  const made = await personal(smallDisk());
  assert.equal(readBack(made, ['mtype', '::moat-enroll.txt']), `${token}\n`);
  assert.equal(readBack(made, ['mtype', '::READ-ME.txt']), 'hello');
  assert.match(readBack(made, ['mdir', '::']), /MOAT-E~1 TXT +\d+ 2026-11-22 +12:34 +moat-enroll\.txt/);
});

test('what is no image of ours is refused with a sentence', async () => {
  await assert.rejects(personal(await personal(smallDisk())), /moat-enroll\.txt is there already/);
  await assert.rejects(personal(smallDisk('another')), /no partition 'moat-config'/);
  await assert.rejects(personal(Buffer.alloc(100_000)), /no disk image with a GPT/);
  await assert.rejects(personal(smallDisk().subarray(0, 60_000)), /ends too early/);
  const spoilt = (offset: number, value: number) =>
    smallDisk('moat-config', (boot) => boot.writeUInt16LE(value, offset));
  for (const [offset, value] of [
    [11, 0],
    [13, 0],
    [14, 65_535],
    [17, 65_535],
    [19, 100],
    [22, 1],
  ] as const) {
    await assert.rejects(personal(spoilt(offset, value)), /no FAT16 volume/, `${offset}`);
  }
});

test('a boot sector of chance is refused or fits, and nothing else happens', async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ minLength: 64, maxLength: 64 }), async (octets) => {
      const disk = smallDisk('moat-config', (boot) => boot.set(octets));
      await personal(disk).catch((error: Error) => assert.match(error.message, /FAT16|too early|full|there already/));
    }),
    { numRuns: 30 },
  );
});

function fetched(portal: TestPortal, operator: TestOperator, path: string): Promise<{ status: number; body: Buffer }> {
  return new Promise((resolve, reject) => {
    const options = { host: '127.0.0.1', port: portal.operatorPort, path, rejectUnauthorized: false, agent: false };
    const headers = { ...operator.headers, host: `127.0.0.1:${portal.operatorPort}` };
    const out = request({ ...options, headers }, async (response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of response) chunks.push(chunk as Buffer);
      resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks) });
    });
    out.on('error', reject).end();
  });
}

onBothPortals('an image leaves the portal with the token in it, once for each link, for who asked', async (portal) => {
  await portal.edit((to) => addRecord(to, 'device', { customer: 'acme', name: 'home-1' }));
  const images = join(portal.folder, 'images');
  mkdirSync(images);
  writeFileSync(join(images, 'moat-1.0.0-pc.img.zst'), zstdCompressSync(smallDisk()));
  writeFileSync(join(images, 'secret.key'), 'x');
  const oda = await loggedIn(portal, 'oda', 'operator');
  const otto = await loggedIn(portal, 'otto', 'operator');
  const listed = (await oda.call('GET', '/images')).json as { name: string }[];
  assert.deepEqual(
    listed.map(({ name }) => name),
    ['moat-1.0.0-pc.img.zst'],
  );
  const wanted = { image: 'moat-1.0.0-pc.img.zst', token };
  for (const image of ['secret.key', '../portal.toml', 'moat-2.img']) {
    assert.equal((await oda.call('POST', '/devices/home-1/image', { ...wanted, image })).status, 404, image);
  }
  const { link } = (await oda.call('POST', '/devices/home-1/image', wanted)).json;
  assert.equal((await fetched(portal, otto, link)).status, 404);
  const { status, body } = await fetched(portal, oda, link);
  assert.equal(status, 200);
  assert.ok(gunzipSync(body).includes(`${token}\n`));
  assert.equal((await fetched(portal, oda, link)).status, 404);
  assert.ok(!portal.logged.join('').includes(token));
});
