import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { chooseLight, Lights, patternOf } from './lights.ts';
import type { ApplianceStatus } from './status.ts';

function nameOf(status: object, wan: 'up' | 'down' | 'unknown' = 'up'): string {
  const base = { state: 'up', problems: [], configuration: { state: 'settled' }, tunnel: { state: 'up' } };
  return patternOf({ ...base, ...status } as unknown as ApplianceStatus, wan).name;
}

test('one light tells what there is to do', () => {
  assert.equal(nameOf({}), 'works');
  assert.equal(nameOf({ configuration: { state: 'trying' } }), 'trial');
  assert.equal(nameOf({ problems: ['The disk of the box is full.'] }), 'trouble');
  const down = { state: 'down', tunnel: { state: 'down' }, problems: ['portal does not answer.'] };
  assert.equal(nameOf(down), 'trouble');
  assert.equal(nameOf(down, 'down'), 'outside', 'a cable explains everything above it');
  assert.equal(nameOf({ state: 'connecting', tunnel: { state: 'connecting' } }, 'unknown'), 'calling');
  assert.equal(nameOf({ state: 'connecting', tunnel: null }, 'unknown'), 'starting');
});

test('the light is chosen by the names that kernels give', () => {
  assert.equal(chooseLight(['phy0-led', 'mmc0::', 'green:status']), 'green:status');
  assert.equal(chooseLight(['ACT', 'PWR']), 'PWR');
  assert.equal(chooseLight(['input3::capslock']), null, 'a keyboard is no light of the box');
});

test("the kernel's files are written in an order that it takes", () => {
  const folder = mkdtempSync(join(tmpdir(), 'moat-leds-'));
  try {
    mkdirSync(join(folder, 'green:status'));
    const lights = new Lights(folder);
    const read = (file: string) => readFileSync(join(folder, 'green:status', file), 'utf8');
    lights.show({ name: 'calling', onMs: 500, offMs: 500 });
    assert.deepEqual(['trigger', 'delay_on', 'delay_off'].map(read), ['timer', '500', '500']);
    lights.show({ name: 'works', onMs: 1, offMs: 0 });
    assert.deepEqual(['trigger', 'brightness'].map(read), ['none', '255']);
    new Lights(join(folder, 'absent')).show({ name: 'works', onMs: 1, offMs: 0 });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
