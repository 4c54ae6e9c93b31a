import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { WhyFile } from './why.ts';

test('the reason is on the disk when it changes; a disk that does not take it is told once, and tried again', () => {
  const folder = mkdtempSync(join(tmpdir(), 'moat-why-'));
  try {
    const why = new WhyFile(folder);
    const path = join(folder, 'why.json');
    assert.equal(why.isWritten, false);
    assert.equal(why.write('one'), null);
    const { mtimeNs, ino } = statSync(path, { bigint: true });
    assert.equal(why.write('one'), null);
    assert.deepEqual([statSync(path, { bigint: true }).mtimeNs, statSync(path, { bigint: true }).ino], [mtimeNs, ino]);
    // A folder in the way is what root cannot write over.
    mkdirSync(`${path}.new`);
    assert.match(why.write('two') ?? '', /EISDIR/);
    assert.equal(why.write('two'), null);
    assert.equal(readFileSync(path, 'utf8'), 'one');
    rmSync(`${path}.new`, { recursive: true });
    assert.equal(why.write('two'), null);
    assert.equal(readFileSync(path, 'utf8'), 'two');
    assert.equal(why.isWritten, true);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
