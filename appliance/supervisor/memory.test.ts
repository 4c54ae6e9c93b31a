import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { test } from 'node:test';
import { familyOf, residentOctets } from './memory.ts';

test('a family is a process with its children and theirs, and each has something resident', async () => {
  const child = spawn('sh', ['-c', 'sleep 60 & echo $!; wait'], {
    stdio: ['ignore', 'pipe', 'ignore'],
    detached: true,
  });
  try {
    const [line] = (await child.stdout.take(1).toArray()) as [Buffer];
    const grandchild = Number(line.toString());
    const family = familyOf(process.pid);
    assert.deepEqual(
      [family[0], family.includes(child.pid ?? 0), family.includes(grandchild)],
      [process.pid, true, true],
    );
    assert.ok(residentOctets(process.pid) > 20e6);
    assert.ok(residentOctets(grandchild) > 10_000);
  } finally {
    process.kill(-(child.pid ?? 0), 'SIGKILL');
  }
  assert.equal(residentOctets(2 ** 30), 0);
  assert.deepEqual(familyOf(2 ** 30), [2 ** 30]);
});
