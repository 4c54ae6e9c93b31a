/** The plug is pulled at random instants; every next start reaches the tunnel by itself. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { sleep } from '../../lab/processes.ts';
import type { Box } from '../box.ts';
import type { Disk } from '../disk.ts';
import type { Ground } from '../ground.ts';
import { phase, series } from '../series.ts';

/** Normal running is cut within this time after the box works. */
const runningMs = 20_000;

/** Each start is the proof of the cut before it, and is cut itself once it works. */
export async function whileRunning(ground: Ground): Promise<string> {
  const { disk, publicKey } = await ground.seasoned('cuts-running');
  let box = ground.start(disk, 'cuts-running');
  await box.works();
  const said = await series(ground, 'running', async (round) => {
    const wait = ground.random(round) * runningMs;
    await sleep(wait);
    await box.cut();
    box = ground.start(disk, 'cuts-running');
    assert.equal(await box.publicKey(), publicKey, 'the identity is the same');
    const { slot, at, processorSeconds } = await box.works();
    return `cut ${(wait / 1000).toFixed(1)} s after it worked; next start works in slot ${slot} at ${at} s (${processorSeconds} s of processor)`;
  });
  await box.cut();
  return said;
}

/** From power on to the first tunnel: key made, ports named, data partition filled, configuration proven. */
export async function whileFirstBoot(ground: Ground): Promise<string> {
  const fresh = await ground.newDisk('cuts-first-fresh');
  const overlay = (name: string) => fresh.overlay(join(ground.folder, `${name}.qcow2`));
  let startMs = await firstStart(ground, await overlay('cuts-first-measure'));
  return series(ground, 'firstBoot', async (round) => {
    const disk = await overlay(`cuts-first-${round}`);
    const box = ground.start(disk, 'cuts-first');
    await sleep(ground.random(1000 + round) * startMs * 1.05);
    const seen = /moat: public key (\S+)\n/.exec(box.console.text)?.[1];
    const where = phase(box);
    await box.cut();
    startMs = await firstStart(ground, disk, seen);
    return `cut while ${where}; next start works after ${Math.round(startMs / 1000)} s${seen === undefined ? '' : ', same key'}`;
  });
}

/** @param seen the key that an earlier start showed. @returns milliseconds from power on to the work being done. */
async function firstStart(ground: Ground, disk: Disk, seen?: string): Promise<number> {
  const started = performance.now();
  const { box, publicKey } = await ground.firstStart(disk, 'cuts-first-next');
  if (seen !== undefined) assert.equal(publicKey, seen, 'a key that was shown is kept');
  await box.works();
  await box.cut();
  return performance.now() - started;
}

interface Update {
  /** File with the bundle: the box sees it as a disk. */
  readonly stick: string;
  /** Writes the bundle and restarts. */
  readonly command: string;
}

/**
 * A bundle on a stick, written into the idle slot, booted, committed: cut anywhere on that way. Every round goes on from the same
 * memory of a running box, so that only what is cut is played.
 */
export async function whileUpdating(ground: Ground, disk: Disk, { stick, command }: Update): Promise<string> {
  const ready = await disk.overlay(join(ground.folder, 'cut-update-ready.qcow2'));
  const memory = join(ground.folder, 'cut-update.memory');
  const waiting = ground.start(ready, 'cut-update-ready', { stick });
  await waiting.works();
  await waiting.shell('sync');
  await waiting.sleep(memory);

  const begin = async (name: string) => {
    const copy = await ready.overlay(join(ground.folder, `${name}.qcow2`));
    const box = ground.start(copy, 'cut-update', { stick, awake: memory });
    await box.shell('true');
    box.console.say(command);
    return { copy, box };
  };
  const wholeMs = await undisturbed((await begin('cut-update-whole')).box);
  return series(ground, 'updating', async (round) => {
    const { copy, box } = await begin(`cut-update-${round}`);
    await sleep(ground.random(2000 + round) * wholeMs * 1.05);
    const where = phase(box);
    await box.cut();
    const next = ground.start(copy, 'cut-update-next', { stick });
    const { slot, at } = await next.works();
    await next.cut();
    return `cut while ${where}; next start works in slot ${slot} at ${at} s`;
  });
}

/** @returns milliseconds from the command to the update being committed. */
async function undisturbed(box: Box): Promise<number> {
  const started = performance.now();
  const { slot } = await box.works();
  assert.equal(slot, 'b', 'the update is booted and kept');
  await box.cut();
  return performance.now() - started;
}
