import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  type BootState,
  beforeWriting,
  decodeBootState,
  encodeBootState,
  freshState,
  judge,
  mayWrite,
  onTrial,
  otherSlot,
  type Slot,
} from './boot-state.ts';

const slot = fc.constantFrom<Slot>('a', 'b');
const tries = fc.integer({ min: 0, max: 3 });
const word = fc.option(fc.stringMatching(/^[a-z-]{1,20}$/), { nil: null });
const anyState: fc.Arbitrary<BootState> = fc.record(
  {
    first: slot,
    a: tries,
    b: tries,
    trial: fc.option(slot, { nil: null }),
    whyA: word,
    whyB: word,
  },
  { noNullPrototype: true },
);

test('a state survives its block, and what matters is in the first sector', () => {
  fc.assert(
    fc.property(anyState, (state) => {
      const block = encodeBootState(state);
      assert.equal(block.length, 1024);
      assert.deepEqual(decodeBootState(block), state);
      assert.deepEqual(decodeBootState(block.fill(0x23, 512)), state);
    }),
  );
});

test('no octets on the disk stop a start', () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 1100 }), (bytes) => void decodeBootState(bytes)));
  assert.deepEqual(decodeBootState(new Uint8Array(1024)), freshState);
});

test('the initramfs condemns a slot and keeps the rest', () => {
  const folder = mkdtempSync(join(tmpdir(), 'moat-slots-'));
  const disk = join(folder, 'disk');
  const before: BootState = { first: 'b', a: 2, b: 1, trial: 'b', whyA: 'no-tunnel', whyB: null };
  const image = Buffer.alloc(8192, 7);
  image.set(encodeBootState(before), 2048);
  writeFileSync(disk, image);
  const script = `. '${import.meta.dirname}/../initramfs/slots.sh'; slot_condemn '${disk}' b corrupt`;
  execFileSync('sh', ['-euc', script]);
  const after = readFileSync(disk);
  rmSync(folder, { recursive: true });
  assert.deepEqual(decodeBootState(after.subarray(2048, 3072)), { ...before, b: 0, whyB: 'corrupt' });
  assert.ok(
    after.subarray(0, 2048).every((octet) => octet === 7) && after.subarray(3072).every((octet) => octet === 7),
  );
});

/** What grub.cfg does: the first slot with tries left that reads back whole, one try less; else both anew. */
function grub(state: BootState, isWhole: (slot: Slot) => boolean): { state: BootState; booted: Slot | null } {
  let now = state;
  for (const slot of [now.first, otherSlot(now.first)]) {
    if (now[slot] === 0) continue;
    now = { ...now, [slot]: now[slot] - 1 };
    if (isWhole(slot)) return { state: now, booted: slot };
  }
  now = { ...now, a: 3, b: 3 };
  return { state: now, booted: isWhole('a') ? 'a' : isWhole('b') ? 'b' : null };
}

/** What a slot holds: an image that works, one that boots but does no work, one that dies, or half an image. */
type Content = 'works' | 'boots' | 'dies' | 'half';

/** One start: null when it died, otherwise the state that the box left and whether it restarts. */
function start(state: BootState, contents: Record<Slot, Content>) {
  const { state: counted, booted } = grub(state, (slot) => contents[slot] !== 'half');
  if (booted === null) return { state: counted, running: null, works: false };
  const content = contents[booted];
  if (content === 'dies') return { state: counted, running: null, works: false };
  const up = judge(counted, booted, 'up', null).state;
  const { state: end, restart } = judge(up, booted, content === 'works' ? 'proven' : 'failed', 'no-tunnel');
  return { state: end, running: restart ? null : booted, works: content === 'works' };
}

interface Box {
  contents: Record<Slot, Content>;
  state: BootState;
  running: Slot;
}

type Cut = 'before' | 'while writing' | 'after' | 'never';

/** Writes the idle slot as far as the power lasts. */
function write(box: Box, content: Content, cut: Cut): void {
  if (cut === 'before') return;
  const idle = otherSlot(box.running);
  box.state = beforeWriting(box.state, idle);
  box.contents[idle] = cut === 'while writing' ? 'half' : content;
  if (cut === 'never') box.state = onTrial(box.state, idle);
}

/** Starts until something works; whether that happens within six starts. */
function settle(box: Box): boolean {
  for (let count = 0; count < 6; count++) {
    const { state, running, works } = start(box.state, box.contents);
    box.state = state;
    if (running === null || !works) continue;
    box.running = running;
    return true;
  }
  return false;
}

test('whatever an update holds and wherever it is cut, the box works again within a few starts', () => {
  const update = fc.record({
    content: fc.constantFrom<Content>('works', 'boots', 'dies', 'half'),
    cut: fc.constantFrom<Cut>('before', 'while writing', 'after', 'never'),
  });
  fc.assert(
    fc.property(fc.array(update, { maxLength: 8 }), (updates) => {
      const box: Box = { contents: { a: 'works', b: 'works' }, state: freshState, running: 'a' };
      for (const { content, cut } of updates) {
        write(box, content, cut);
        assert.ok(settle(box), 'it works in the end');
        // And stays where it is.
        const { running } = box;
        assert.ok(settle(box));
        assert.equal(box.running, running);
      }
    }),
    { numRuns: 2000 },
  );
});

test('an update that boots but does no work is gone at its first verdict, with the reason kept', () => {
  const { state, restart } = judge({ ...onTrial(freshState, 'b'), b: 0 }, 'b', 'failed', 'no-tunnel');
  assert.ok(restart);
  assert.deepEqual(state, { first: 'a', a: 3, b: 0, trial: null, whyA: null, whyB: 'no-tunnel' });
});

test('while an update is on trial, no other one is written over the slot that it would go back to', () => {
  const trial = { ...onTrial(freshState, 'b'), b: 0 };
  assert.equal(mayWrite(trial, 'b'), false);
  assert.ok(mayWrite(judge(trial, 'b', 'proven', null).state, 'b'));
  // The new slot did not come up: this one is free to try again.
  assert.ok(mayWrite(trial, 'a'));
});

test('a committed slot without a tunnel stays: the provider is not the slot', () => {
  const { state, restart } = judge({ ...freshState, a: 2 }, 'a', 'failed', 'no-tunnel');
  assert.equal(restart, false);
  assert.equal(state.whyA, null);
});
