/** A kernel that gives up and an init that stands still: nobody is there to press a button, so the box restarts itself. */
import assert from 'node:assert/strict';
import type { Ground } from '../ground.ts';

/** The watchdog's minute (rootfs/overlay, RuntimeWatchdogSec), a start, and as much again for a busy machine. */
const watchdogSeconds = 240;

export async function hangs(ground: Ground): Promise<string> {
  const { disk, publicKey } = await ground.seasoned('hangs');
  const box = ground.start(disk, 'hangs');
  await box.works();

  box.console.say('echo c >/proc/sysrq-trigger');
  await box.see(/Kernel panic/, 60);
  assert.equal(await box.publicKey(), publicKey);
  const { at } = await box.works();

  // Init stands still when it has crashed: nothing tells the watchdog any more that all is well.
  box.console.say('kill -SEGV 1');
  const frozen = performance.now();
  await box.see(/moat: slot [ab]\n/, watchdogSeconds);
  const seconds = Math.round((performance.now() - frozen) / 1000);
  const { at: again } = await box.works();
  await box.cut();
  return `after a panic of its kernel the box works at ${at} s; after its init froze the watchdog restarts it (${seconds} s to the next start) and it works at ${again} s`;
}
