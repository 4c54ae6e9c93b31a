import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { pino } from 'pino';
import { ConfigFile } from './config-file.ts';

const good = {
  role: 'portal',
  name: 'portal',
  identity: { id: 'portal.example' },
  tunnel: { networks: ['10.1.0.0/16'] },
  peers: [],
};

test('a refused file is read again when it changes, complained of once, and left alone once it is good', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'moat-config-'));
  const path = join(folder, 'moat.json');
  const complaints: string[] = [];
  const log = pino({}, { write: (line) => complaints.push(JSON.parse(line).msg) });
  const eyes = new EventEmitter();
  let changes = 0;
  const file = new ConfigFile(
    () => path,
    log,
    () => {
      changes += 1;
      file.read();
      eyes.emit('read');
    },
  );
  const says = async (problem: RegExp | null) => {
    while (problem === null ? file.problem !== null : !problem.test(file.problem ?? '')) await once(eyes, 'read');
  };
  try {
    assert.equal(file.read(), null);
    assert.match(file.problem ?? '', /moat\.json/);
    assert.equal(file.read(), null);
    assert.deepEqual(complaints, ['configurationRefused']);

    writeFileSync(path, JSON.stringify({ ...good, role: 'house', name: '' }));
    await says(/role: .*; name: /);
    assert.equal(complaints.length, 2);
    writeFileSync(path, JSON.stringify(good));
    await says(null);
    assert.deepEqual(file.read(), { path, text: JSON.stringify(good) });

    const before = changes;
    writeFileSync(path, '{}');
    await new Promise((resolve) => setTimeout(resolve, 1500));
    assert.deepEqual([changes, complaints.length], [before, 2]);
  } finally {
    file.close();
    rmSync(folder, { recursive: true, force: true });
  }
});

test('another file is read from the moment on when it takes the place of the first', () => {
  const folder = mkdtempSync(join(tmpdir(), 'moat-config-'));
  let path = join(folder, 'by-hand.json');
  const file = new ConfigFile(
    () => path,
    pino({ enabled: false }),
    () => {},
  );
  try {
    assert.equal(file.read(), null);
    path = join(folder, 'of-the-portal.json');
    const text = JSON.stringify(good);
    writeFileSync(path, text);
    assert.deepEqual([file.read(), file.path, file.problem], [{ path, text }, path, null]);
  } finally {
    file.close();
    rmSync(folder, { recursive: true });
  }
});
