import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { realDisk } from './disk.ts';
import { exportLeases, writeExport } from './export.ts';
import { Journal } from './files.ts';
import { encodeHeader, encodeRecord, replay } from './journal.ts';
import { type Lease, LeaseTable } from './leases.ts';

function lease(number: number, change: Partial<Lease> = {}): Lease {
  const fields = { zone: 'work', address: `10.0.0.${number}`, client: `01${number}`, mac: '02:00:00:00:00:01' };
  return { ...fields, hostname: 'laptop', state: 'bound', expiresAt: 5000 + number, ...change };
}

const octets = (text: string) => new TextEncoder().encode(text);
const three = encodeHeader(10) + encodeRecord(lease(1), 11) + encodeRecord(lease(2), 12);

test('a journal reads back; the last record of an address counts', () => {
  const found = replay(octets(three + encodeRecord(lease(1, { state: 'released' }), 20)));
  assert.deepEqual(found.leases, [lease(1, { state: 'released' }), lease(2)]);
  assert.deepEqual([found.clock, found.records, found.damaged, found.torn], [20, 4, 0, 0]);
  assert.deepEqual(replay(new Uint8Array()).leases, []);
});

test('cut anywhere, every whole record before the cut is there and nothing else', () => {
  const whole = octets(three);
  const ends = [...whole.entries()].filter(([, octet]) => octet === 10).map(([at]) => at + 1);
  for (let cut = 0; cut <= whole.length; cut += 1) {
    const found = replay(whole.subarray(0, cut));
    assert.equal(found.records, ends.filter((end) => end <= cut).length);
    assert.equal(found.torn, cut - Math.max(0, ...ends.filter((end) => end <= cut)));
    const zeros = new Uint8Array(whole.length);
    zeros.set(whole.subarray(0, cut));
    assert.equal(replay(zeros).records, found.records, 'a file system may leave zeros instead');
  }
});

test('one bad octet costs one record and is reported', () => {
  const whole = octets(three);
  for (let at = 0; at < whole.length; at += 1) {
    const bad = whole.slice();
    bad[at] = (bad[at] ?? 0) ^ 0x40;
    const { records, damaged, torn } = replay(bad);
    assert.ok(records >= 1 && records <= 2, `octet ${at}`);
    assert.ok(damaged > 0 || torn > 0, `octet ${at}`);
  }
});

test('commits that wait together share one fsync; history is written anew; what was there is read back', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'moat-dhcp-'));
  try {
    const path = join(directory, 'leases.journal');
    const table = new LeaseTable();
    let syncs = 0;
    const counting: typeof realDisk = {
      ...realDisk,
      create: async (file) => {
        const real = await realDisk.create(file);
        return { ...real, sync: () => real.sync().finally(() => (syncs += 1)) };
      },
    };
    const journal = new Journal(counting, path, { leases: () => table, clock: () => 77 });
    const commit = (entry: Lease) => {
      table.put(entry);
      return journal.commit([entry]);
    };
    await Promise.all(Array.from({ length: 50 }, (_, i) => commit(lease(i))));
    assert.ok(syncs <= 2, `${syncs} fsyncs for 50 commits`);
    for (let i = 0; i < 30; i += 1) {
      await Promise.all(Array.from({ length: 50 }, (_, k) => commit(lease(k, { expiresAt: i * 100 + k }))));
    }
    const lines = readFileSync(path, 'utf8').split('\n').length;
    assert.ok(lines < 1400, `${lines} lines for 50 leases`);
    await journal.close();
    const found = await Journal.read(realDisk, path);
    assert.deepEqual(found.leases.length, 50);
    assert.equal(found.clock, 77);
    assert.deepEqual(
      found.leases.map(({ expiresAt }) => expiresAt),
      Array.from({ length: 50 }, (_, k) => 2900 + k),
    );
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test('after a failed write nothing is acknowledged, and the next commit writes a new file', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'moat-dhcp-'));
  try {
    const path = join(directory, 'leases.journal');
    const table = new LeaseTable();
    let full = false;
    const filling: typeof realDisk = {
      ...realDisk,
      create: async (file) => {
        const real = await realDisk.create(file);
        const append = async (data: Uint8Array) => {
          if (!full) return real.append(data);
          await real.append(data.subarray(0, 7));
          throw new Error('ENOSPC');
        };
        return { ...real, append };
      },
    };
    const journal = new Journal(filling, path, { leases: () => table, clock: () => 1 });
    table.put(lease(1));
    await journal.commit([lease(1)]);
    full = true;
    table.put(lease(2));
    await assert.rejects(journal.commit([lease(2)]), /ENOSPC/);
    assert.equal(journal.failures, 1);
    full = false;
    table.put(lease(3));
    await journal.commit([lease(3)]);
    assert.equal(journal.failures, 0);
    await journal.close();
    const found = await Journal.read(realDisk, path);
    assert.deepEqual(
      found.leases.map(({ address }) => address),
      ['10.0.0.1', '10.0.0.2', '10.0.0.3'],
    );
    assert.deepEqual([found.damaged, found.torn], [0, 0]);
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test('the disk is proven once an hour and after every failure, not with every question', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'moat-dhcp-'));
  try {
    let [syncs, clock, full] = [0, 5, false];
    const disk: typeof realDisk = {
      ...realDisk,
      create: async (file) => {
        const real = await realDisk.create(file);
        const append = async (bytes: Uint8Array) => {
          if (full) throw new Error('no space');
          await real.append(bytes);
        };
        const sync = () => {
          syncs += 1;
          return real.sync();
        };
        return { ...real, append, sync };
      },
    };
    const journal = new Journal(disk, join(directory, 'leases.journal'), { leases: () => [], clock: () => clock });
    assert.equal(await journal.prove(), 0);
    clock += 3_599_999;
    assert.equal(await journal.prove(), 3_599_999);
    assert.equal(syncs, 1);
    clock += 1;
    full = true;
    await assert.rejects(journal.prove(), /no space/);
    await assert.rejects(journal.prove(), /no space/, 'asked again, tried again');
    full = false;
    assert.equal(await journal.prove(), 0);
    assert.equal(syncs, 2);
    await journal.close();
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test('leases.json has what is valid now, in order of address', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'moat-dhcp-'));
  try {
    const path = join(directory, 'leases.json');
    writeFileSync(path, 'old');
    const all = [lease(10), lease(9), lease(3, { expiresAt: 100 }), lease(4, { state: 'released' })];
    await writeExport(path, exportLeases(all, 1000, 1_800_000_000_000));
    const read = JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>[];
    assert.deepEqual(
      read.map(({ address }) => address),
      ['10.0.0.9', '10.0.0.10'],
    );
    assert.deepEqual(read[0], {
      ...{ zone: 'work', address: '10.0.0.9', hostname: 'laptop', mac: '02:00:00:00:00:01', clientId: '019' },
      expiresAt: 1_800_000_000_000 + 5009 - 1000,
    });
  } finally {
    rmSync(directory, { recursive: true });
  }
});
