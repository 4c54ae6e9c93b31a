import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { ConfigStore, generationOf, type Source } from './store.ts';
import {
  begin,
  inForce,
  step,
  type TransactionEffect,
  type TransactionEvent,
  type TransactionState,
  turnMs,
  wakeAt,
} from './transaction.ts';

/** How a configuration goes wrong; `good` does not. */
type Nature = 'good' | 'refused' | 'silent' | 'kills';

const source = (nature: Nature, serial: number): Source => ({ path: '/etc/moat.toml', text: `${nature} ${serial}` });
const fiveMinutes = 300_000;
const proofMs = 20_000;

/** A box with a disk and a virtual clock; power cuts come where a test says. */
class Box {
  now = 0;
  readonly store: ConfigStore;
  readonly sources = new Map<string, Source>();
  state!: TransactionState;
  appliedAt = 0;
  /** Whether the world outside works at all. */
  outage = false;

  constructor(directory: string) {
    this.store = new ConfigStore(directory);
    this.boot();
  }

  boot(): void {
    const { state, effects } = begin(this.store.found(), this.now);
    this.state = state;
    this.perform(effects);
  }

  offer(offered: Source): void {
    this.sources.set(generationOf(offered), offered);
    this.on({ kind: 'offer', generation: generationOf(offered) });
  }

  on(event: TransactionEvent): void {
    const { state, effects } = step(this.state, event, this.now);
    this.state = state;
    this.perform(effects);
  }

  perform(effects: readonly TransactionEffect[]): void {
    for (const effect of effects) {
      const of = (generation: string) => this.sourceOf(generation);
      if (effect.kind === 'saveCandidate') this.store.saveCandidate(of(effect.generation));
      if (effect.kind === 'confirm') this.store.confirm(of(effect.generation));
      if (effect.kind === 'reject') this.store.reject(of(effect.rejected.generation), effect.rejected);
      if (effect.kind === 'apply') this.apply();
    }
  }

  apply(): void {
    this.appliedAt = this.now;
    const nature = this.nature();
    if (nature === 'refused') this.on({ kind: 'failed', problem: 'refused' });
    if (nature === 'kills') {
      // The kernel panics, the watchdog bites: the box comes up again half a minute later.
      this.now += 30_000;
      this.boot();
    }
  }

  sourceOf(generation: string): Source {
    const found = this.store.source(generation) ?? this.sources.get(generation);
    assert.ok(found, 'every generation is somewhere');
    return found;
  }

  nature(): Nature | null {
    const generation = inForce(this.state);
    return generation === null ? null : (this.sourceOf(generation).text.split(' ')[0] as Nature);
  }

  run(ms: number): void {
    const end = this.now + ms;
    while (this.now < end) {
      this.now += 1000;
      const generation = inForce(this.state);
      const works = !this.outage && this.nature() === 'good' && this.now - this.appliedAt >= proofMs;
      if (generation !== null && works) this.on({ kind: 'proven', generation });
      if (this.now >= wakeAt(this.state)) this.on({ kind: 'wake', problem: 'no tunnel' });
    }
  }
}

function inBox(body: (box: Box, directory: string) => void): void {
  const directory = mkdtempSync(join(tmpdir(), 'moat-transaction-'));
  try {
    const box = new Box(directory);
    box.offer(source('good', 0));
    box.run(60_000);
    assert.equal(box.state.name, 'settled');
    body(box, directory);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

const harmful = fc.constantFrom<Nature>('refused', 'silent', 'kills');

test('200 harmful configurations: the box is back under its old one within five minutes, each time', () => {
  inBox((box) => {
    let serial = 0;
    fc.assert(
      fc.property(harmful, fc.array(fc.integer({ min: 1, max: 100_000 }), { maxLength: 1 }), (nature, cuts) => {
        serial += 1;
        const began = box.now;
        box.offer(source(nature, serial));
        for (const afterMs of cuts) {
          box.run(afterMs);
          box.boot(); // the power goes away and comes back
        }
        box.run(began + fiveMinutes - box.now);
        assert.equal(box.nature(), 'good');
        assert.equal(box.state.name, 'settled', 'and the trial is over');
        assert.equal(box.store.found().rejected?.generation, generationOf(source(nature, serial)));
      }),
      { numRuns: 200 },
    );
  });
});

test('a good configuration is confirmed as soon as it is proven, and survives the power', () => {
  inBox((box) => {
    box.offer(source('good', 1));
    box.run(proofMs + 1000);
    assert.equal(box.state.name, 'settled');
    box.boot();
    assert.equal(inForce(box.state), generationOf(source('good', 1)));
  });
});

test('a good configuration that comes during an outage is neither kept unproven nor thrown away', () => {
  inBox((box) => {
    box.outage = true;
    box.offer(source('good', 1));
    box.run(20 * turnMs);
    assert.notEqual(box.state.name, 'settled');
    box.outage = false;
    box.run(2 * turnMs);
    assert.equal(box.state.name, 'settled');
  });
});

test('the first configuration has nothing to go back to, and stays', () => {
  const directory = mkdtempSync(join(tmpdir(), 'moat-transaction-'));
  try {
    const box = new Box(directory);
    box.offer(source('silent', 1));
    box.run(10 * turnMs);
    assert.deepEqual([box.state.name, box.nature()], ['trying', 'silent']);
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test('proof of the old one says nothing about the new one', () => {
  inBox((box) => {
    const old = inForce(box.state) ?? '';
    box.offer(source('silent', 1));
    box.on({ kind: 'proven', generation: old });
    assert.equal(box.state.name, 'trying');
  });
});

test('a file cut anywhere or with any octet wrong counts as absent; the one before takes its place', () => {
  inBox((box, directory) => {
    box.offer(source('good', 1));
    box.run(60_000);
    const file = join(directory, 'confirmed');
    const whole = readFileSync(file);
    const before = generationOf(source('good', 0));
    for (let at = 0; at < whole.length; at += 7) {
      const damaged = Buffer.from(whole);
      damaged[at] = (damaged[at] ?? 0) ^ 1;
      for (const wrong of [damaged, whole.subarray(0, at)]) {
        writeFileSync(file, wrong);
        assert.equal(box.store.found().confirmed, before);
      }
    }
    writeFileSync(file, whole);
    assert.equal(box.store.found().confirmed, generationOf(source('good', 1)));
    assert.deepEqual(readdirSync(directory).sort(), ['confirmed', 'previous']);
  });
});
