/** The plug is pulled at random instants; every next start reaches the tunnel by itself. */
import assert from 'node:assert/strict';
import { sleep } from '../../lab/processes.ts';
import type { Disk } from '../disk.ts';
import type { Ground } from '../ground.ts';

/** Instants from power on to a while after the tunnel is up, as shares of the time of a start. */
const share = { from: 0.02, to: 1.15 };

export async function whileRunning(ground: Ground): Promise<string> {
  const { disk, publicKey } = await ground.seasoned('cuts-running');
  const cutAt: string[] = [];
  let startMs = await undisturbed(ground, disk, publicKey);
  for (let round = 0; round < ground.options.rounds.running; round++) {
    const box = ground.start(disk, 'cuts-running');
    const wait = startMs * (share.from + (share.to - share.from) * ground.random(round));
    await sleep(wait);
    await box.cut();
    cutAt.push(`${Math.round(wait / 1000)} s`);
    startMs = await undisturbed(ground, disk, publicKey);
  }
  return `${cutAt.length} cuts (${cutAt.join(', ')} after power on), every next start reached the tunnel, same key`;
}

export async function whileFirstBoot(ground: Ground): Promise<string> {
  const cutAt: string[] = [];
  for (let round = 0; round < ground.options.rounds.firstBoot; round++) {
    const disk = await ground.newDisk('cuts-first');
    const box = ground.start(disk, 'cuts-first');
    // The interesting part begins when the data partition is mounted and ends when the key is in every place.
    await box.see(/root verified/);
    const wait = 1000 + ground.random(1000 + round) * 25_000;
    await sleep(wait);
    const seen = /moat: public key (\S+)\n/.exec(box.console.text)?.[1];
    await box.cut();
    cutAt.push(`${Math.round(wait / 1000)} s${seen === undefined ? '' : ' (key shown)'}`);
    const { box: next, publicKey } = await ground.firstStart(disk, 'cuts-first');
    if (seen !== undefined) assert.equal(publicKey, seen, 'a key that was shown is kept');
    await next.works();
    await next.cut();
  }
  return `${cutAt.length} cuts after the root was verified (${cutAt.join(', ')}), every next start reached the tunnel`;
}

/** @returns milliseconds from power on to the work being done. */
async function undisturbed(ground: Ground, disk: Disk, publicKey: string): Promise<number> {
  const started = performance.now();
  const box = ground.start(disk, 'cuts-after');
  assert.equal(await box.publicKey(), publicKey, 'the identity is the same');
  await box.works();
  await box.cut();
  return performance.now() - started;
}
