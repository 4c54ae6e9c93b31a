import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { identify, isAlive, run, sleep } from './processes.ts';
import { listStates } from './state.ts';
import { World } from './world.ts';

const skip = process.getuid?.() === 0 ? false : 'needs root (network namespaces)';
const main = fileURLToPath(new URL('main.ts', import.meta.url));

/** Everything in the machine that belongs to a world. */
async function remainsOf(id: string): Promise<string[]> {
  const spaces = (await run(['ip', 'netns', 'list'])).stdout.split('\n').filter((line) => line.startsWith(id));
  const names = existsSync('/etc/netns') ? readdirSync('/etc/netns').filter((name) => name.startsWith(id)) : [];
  const states = listStates().filter((state) => state.id === id);
  return [...spaces, ...names, ...states.map(({ temporary }) => temporary)];
}

/** Starts the tour in a process of its own and says which world it made. */
async function startTour() {
  const child = spawn(process.execPath, [main], { stdio: ['ignore', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout });
  for await (const line of lines) {
    const id = /^World (w[0-9a-f]+) is up/.exec(line)?.[1];
    if (id) return { child, id };
  }
  throw new Error('no world');
}

describe('world', { skip }, () => {
  test('comes up and leaves nothing', async (context) => {
    const began = performance.now();
    const world = await World.up({ name: 'world-test' });
    context.diagnostic(`up after ${Math.round(performance.now() - began)} ms`);
    const sleeper = world.pc.start('sleeper', ['sleep', '1000']);
    await world.pc.run(['sh', '-c', 'setsid sleep 1000 >/dev/null 2>&1 &']);
    assert.ok((await remainsOf(world.id)).length > 0);
    const inside = (await run(['ip', 'netns', 'pids', world.pc.namespace])).stdout.trim().split('\n').map(Number);
    assert.equal(inside.length, 2);
    await world.down();
    assert.deepEqual(await remainsOf(world.id), []);
    assert.ok(sleeper.hasExited && inside.every((pid) => identify(pid) === undefined));
    assert.ok(!existsSync(world.temporary));
    assert.ok(existsSync(world.runDirectory));
  });

  test('a line that a program said before anybody asked is still there, and none is given twice', async (context) => {
    const world = await World.up({ name: 'world-test' });
    context.after(() => world.down());
    const teller = world.pc.start('teller', ['sh', '-c', 'echo one; echo two; sleep 0.1; echo three']);
    await sleep(50);
    assert.equal(await teller.line(/^two/), 'two');
    await teller.exited;
    assert.equal(await teller.line(/e$/), 'three');
    await assert.rejects(teller.line(/^one/), /ended with 0 before .*; nothing came/);
    const other = world.pc.start('other', ['sh', '-c', 'echo here; echo there >&2; exec sleep 1000']);
    await assert.rejects(other.line(/^two/, 500), /no line .* within 500 ms; what came last is: here/);
    await assert.rejects(other.complaint(/^here/, 20), /no line .* within 20 ms; what came last is: there/);
    assert.equal(await other.complaint(/there/), 'there');
  });

  test('a world that is taken down while it is being built leaves nothing', async () => {
    const before = (await run(['ip', 'netns', 'list'])).stdout
      .split('\n')
      .filter((line) => /^w[0-9a-f]{6}-/.test(line));
    for (let delay = 0; delay < 120; delay += 6) {
      const building = World.up({ name: 'world-test' }).catch(() => undefined);
      await sleep(delay);
      await World.allDown();
      await (await building)?.down();
    }
    const after = (await run(['ip', 'netns', 'list'])).stdout.split('\n').filter((line) => /^w[0-9a-f]{6}-/.test(line));
    // Other worlds of this machine may come and go meanwhile; ours are those of this process.
    const own = new Set(listStates().map(({ id }) => id));
    assert.deepEqual(
      after.filter((line) => !before.includes(line) && !own.has(line.slice(0, 7))),
      [],
    );
  });

  test('worlds do not see each other', async () => {
    const worlds = await Promise.all([1, 2, 3].map(() => World.up({ plainPath: true, name: 'world-test' })));
    const [first] = worlds;
    await first?.corp.ip('link set lan down');
    const received = await Promise.all(
      worlds.map(async ({ pc }) => (await pc.ping('10.1.0.10', { wait: 300 })).received),
    );
    await Promise.all(worlds.map((world) => world.down()));
    assert.deepEqual(received, [0, 3, 3]);
  });

  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    test(`${signal} leaves nothing behind`, async () => {
      const { child, id } = await startTour();
      child.kill(signal);
      await once(child, 'exit');
      assert.deepEqual(await remainsOf(id), []);
    });
  }

  test('a reader that goes away leaves nothing behind', async () => {
    const { child, id } = await startTour();
    child.stdout.destroy();
    await once(child, 'exit');
    assert.deepEqual(await remainsOf(id), []);
  });

  test('after SIGKILL no process of the world lives on, and the next world clears the rest', async () => {
    const { child, id } = await startTour();
    const processes = listStates().find((state) => state.id === id)?.processes ?? [];
    assert.ok(processes.length > 0 && processes.every(isAlive));
    child.kill('SIGKILL');
    await once(child, 'exit');
    await sleep(100);
    assert.deepEqual(processes.filter(isAlive), []);
    const next = await World.up({ name: 'world-test' });
    await next.down();
    assert.deepEqual(await remainsOf(id), []);
  });

  test('exec runs in the newest world, with its exit code; down takes all', async () => {
    const { child, id } = await startTour();
    const ended = once(child, 'exit');
    const lab = (...words: string[]) => run([process.execPath, main, ...words]);
    try {
      // The tunnel may not be up yet: moat itself is next door.
      const ping = await lab('exec', '--world', id, 'pc', 'ping', '-c', '1', 'moat');
      assert.match(ping.stdout, /1 received/);
      assert.equal((await lab('exec', '--world', id, 'portal', 'sh', '-c', 'exit 7')).code, 7);
      const wrong = await lab('exec', '--world', id, 'nowhere', 'true');
      assert.equal(wrong.code, 1);
      assert.match(wrong.stderr, /no host 'nowhere': pc, moat/);
    } finally {
      child.kill('SIGTERM');
      await ended;
    }
    assert.deepEqual(await remainsOf(id), []);
  });

  test('without root it says so in one sentence', async () => {
    const { code, stderr } = await run(['setpriv', '--reuid', '65534', process.execPath, main, 'check', 'plain']);
    assert.equal(code, 1);
    assert.equal(stderr.trim(), 'moat lab: the lab needs root (network namespaces): run it with sudo.');
  });
});
