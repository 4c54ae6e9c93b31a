import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';

const sink = new URL('log-sink.ts', import.meta.url).href;

/** Writes five megabytes of lines, then says on stderr what became of them, and ends. */
const chatter = `
  const { LogSink } = await import('${sink}');
  const sink = new LogSink();
  for (let i = 0; i < 50_000; i += 1) sink.write('x'.repeat(99) + '\\n');
  setTimeout(async () => {
    await sink.drain(200);
    process.stderr.write(JSON.stringify({ lost: sink.lost, kept: sink.newest(1e9).length }));
    process.exit(0);
  }, 300);
`;

/** `pipe`: through a shell's pipe to somebody who does not read; else by a socket, as from journald. */
async function talk(read: boolean, pipe = false): Promise<{ lost: number; kept: number; octets: number; ms: number }> {
  const began = performance.now();
  const node = [process.execPath, '--input-type=module', '-e', chatter];
  const [file = '', ...rest] = pipe ? ['bash', '-c', '"$@" | sleep 3', 'bash', ...node] : node;
  const child = spawn(file, rest, { stdio: ['ignore', 'pipe', 'pipe'] });
  const exited = once(child, 'exit');
  let octets = 0;
  if (read) child.stdout.on('data', (chunk: Buffer) => (octets += chunk.length));
  const [said] = (await once(child.stderr, 'data')) as [Buffer];
  const deadline = new Promise((_, reject) => setTimeout(() => reject(new Error('it hangs')), 10_000).unref());
  await Promise.race([exited, deadline]).finally(() => child.kill('SIGKILL'));
  return { ...(JSON.parse(said.toString()) as { lost: number; kept: number }), octets, ms: performance.now() - began };
}

test('a log that nobody reads stops nobody: lines are counted, the newest are kept, and the end comes', async () => {
  for (const pipe of [false, true]) {
    const { lost, kept } = await talk(false, pipe);
    assert.ok(lost > 30_000 && lost < 50_000, `${lost} lines lost`);
    assert.ok(kept > 9000 && kept <= 10_000, `${kept} lines in memory`);
  }
});

test('a log that is read slowly at first loses only what does not fit', async () => {
  const { lost, octets } = await talk(true);
  assert.equal(octets, (50_000 - lost) * 100);
});
