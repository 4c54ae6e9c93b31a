import assert from 'node:assert/strict';
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync, readSync } from 'node:fs';
import { test } from 'node:test';

/* Forward secrecy ends at what is left in memory: it is looked for there, in a process of its own. */

interface Told {
  /** Masked (`wiping-child.ts`), in hexadecimal. */
  readonly alive: readonly string[];
  readonly gone: readonly string[];
  readonly up: number;
}

/** Shorter ones are salts and the like. */
const leastOctets = 20;

async function withChild<Result>(
  mode: 'wipe' | 'keep',
  look: (child: ChildProcess, told: Told) => Result,
): Promise<Result> {
  const child = fork(new URL('wiping-child.ts', import.meta.url), [mode], { execArgv: [] });
  try {
    const [told] = await once(child, 'message');
    return look(child, told as Told);
  } finally {
    child.kill('SIGKILL');
  }
}

/** Start and length of what the process can write to and has ever written to. */
function regions(pid: number | undefined): { start: bigint; length: number }[] {
  const blocks = readFileSync(`/proc/${pid}/smaps`, 'utf8').split(/\n(?=[0-9a-f]+-[0-9a-f]+ )/);
  return blocks.flatMap((block) => {
    const [, from = '0', to = '0'] = /^([0-9a-f]+)-([0-9a-f]+) rw/.exec(block) ?? [];
    const start = BigInt(`0x${from}`);
    const length = Number(BigInt(`0x${to}`) - start);
    return length > 0 && !/^Rss:\s+0 kB/m.test(block) && !block.includes('[vvar') ? [{ start, length }] : [];
  });
}

const chunkOctets = 1 << 20;
const zeros = Buffer.alloc(chunkOctets + 16);

/** Which of the keys stand somewhere in the memory of the process; the first half of one would be bad enough. */
function foundIn({ pid }: ChildProcess, masked: readonly string[]): Set<string> {
  const keys = masked.map((text) => Buffer.from(Buffer.from(text, 'hex').map((octet) => octet ^ 0xa5)));
  const heads = keys.filter(({ length }) => length >= leastOctets).map((key) => key.subarray(0, 16));
  const found = new Set<string>();
  const memory = openSync(`/proc/${pid}/mem`, 'r');
  const chunk = Buffer.alloc(chunkOctets + 16);
  for (const { start, length } of regions(pid)) {
    for (let at = 0; at < length; at += chunkOctets) {
      // Each chunk ends where the next one has begun, for a key that lies over the edge.
      const octets = readChunk(memory, chunk.subarray(0, Math.min(chunk.length, length - at)), start + BigInt(at));
      if (octets.equals(zeros.subarray(0, octets.length))) continue;
      for (const head of heads) if (octets.includes(head)) found.add(head.toString('hex'));
    }
  }
  closeSync(memory);
  return found;
}

function readChunk(memory: number, into: Buffer, position: bigint): Buffer {
  try {
    return into.subarray(0, readSync(memory, into, 0, into.length, position));
  } catch {
    return into.subarray(0, 0); // given back meanwhile
  }
}

test('after rekeys the current keys are in memory, once looked for, and no older one is', async () => {
  const { told, current, old } = await withChild('wipe', (child, told) => ({
    told,
    current: foundIn(child, told.alive),
    old: foundIn(child, told.gone),
  }));
  assert.equal(told.up, 1);
  // SK_d, SK_ei and SK_er, the same at both ends, and the shared key; SK_pi and SK_pr are of no use after a rekey, so nobody has looked at them.
  assert.equal(told.alive.length, 4);
  const long = told.alive.filter((text) => text.length >= 2 * leastOctets).length;
  assert.equal(current.size, long, 'the search finds what is there');
  // Of four IKE SAs (one of them before ML-KEM) and four children, and the secrets that they came from.
  assert.ok(told.gone.length >= 25, `${told.gone.length} keys have been wiped`);
  assert.deepEqual(old, new Set());
});

test('a shell that keeps the keys of the data plane is found out', async () => {
  const found = await withChild('keep', (child, told) => foundIn(child, told.alive).size);
  assert.ok(found > 5, `${found} keys`);
});
