/** A release of the portal whose tunnel does not come up: the box fetches it by itself, goes back by itself, and the portal shows why. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { sleep } from '../../lab/processes.ts';
import type { Ground } from '../ground.ts';
import { Headquarters } from '../headquarters.ts';
import { offer } from './updates.ts';

const name = '9.0.0';
/** From the first word of the new slot to the first word of the old one. */
const mostSeconds = 300;
const reportSeconds = 180;

export async function releaseThatFails(ground: Ground): Promise<string> {
  const headquarters = await Headquarters.open(ground.office);
  const device = `release-${process.pid}`;
  const disk = await ground.enrollingDisk('release', await headquarters.token(device));
  const url = offer(ground, 'release');
  const bundle = readFileSync(join(ground.office.files, 'release'));
  await headquarters.release(name, url, createHash('sha256').update(bundle).digest('hex'));
  const box = ground.start(disk, 'release');
  await box.see(/moat: update written/);
  await headquarters.closeTunnel();
  await box.see(/moat: slot b/);
  const began = performance.now();
  const [, sentence = ''] = await box.see(/moat: the update does not work \((.*)\), going back/, 900);
  await box.see(/moat: slot a/);
  const seconds = Math.round((performance.now() - began) / 1000);
  assert.ok(seconds < mostSeconds, `back after ${seconds} s`);
  const { problem, after } = await told(headquarters, device);
  assert.equal(problem, sentence, "the portal shows the box's own sentence");
  await headquarters.openTunnel();
  assert.equal((await box.works()).slot, 'a');
  await box.cut();
  return `fetched and written without a hand; back in slot a ${seconds} s after slot b began; ${after} s later the portal said: "${problem}"`;
}

async function told(headquarters: Headquarters, device: string): Promise<{ problem: string; after: number }> {
  const began = performance.now();
  for (;;) {
    const after = Math.round((performance.now() - began) / 1000);
    const went = (await headquarters.wentBack(name)).find((one) => one.device === device);
    if (went !== undefined) return { problem: went.problem, after };
    assert.ok(after < reportSeconds, 'the portal hears of it');
    await sleep(3000);
  }
}
