/**
 * Updates in the box's own root without QEMU: the real `update.ts` writes real bundles to loop devices and is killed on the way; the real
 * `health.ts` and supervisor judge a trial whose tunnel does not come up. What the boot loader makes of it is QEMU's to show.
 */
import assert from 'node:assert/strict';
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type BootState, blockOctets, decodeBootState, encodeBootState } from '../../../rootfs/box/boot-state.ts';
import { digestOf } from '../../../rootfs/box/bundle.ts';
import { parseSeed } from '../../../rootfs/box/seed.ts';
import { run } from '../../lab/processes.ts';
import { inRoot, withLoops } from '../chroot.ts';
import type { Disk } from '../disk.ts';
import type { Ground } from '../ground.ts';
import { moatToml } from '../office.ts';
import { built, offer, spoilSlotB, wrongOffers } from './updates.ts';

const partitions = ['state', 'boot-b', 'root-b'] as const;
const bootStateAt = 2048;
const kills = 20;
const update = '/usr/bin/node /usr/lib/moat/rootfs/box/update.ts';

function bootState(disk: Disk): BootState {
  return decodeBootState(disk.read('state', bootStateAt, blockOctets));
}

/** @param slot the one that runs. */
async function play(disk: Disk, outside: string, script: string, slot = 'a') {
  return withLoops(disk, partitions, (loops) => {
    const command = inRoot(partitions, loops, outside, `echo ${slot} >/run/moat/slot; ${script}`);
    return run(command, { timeout: 400_000 });
  });
}

function slotIsWhole(disk: Disk): boolean {
  const { boot, root } = built();
  const same = (name: 'boot-b' | 'root-b', bytes: Buffer) =>
    digestOf(disk.read(name, 0, bytes.length)) === digestOf(bytes);
  return same('boot-b', boot) && same('root-b', root);
}

export async function updatesInTheRoot(ground: Ground): Promise<string> {
  const disk = await ground.newDisk('update-room');
  spoilSlotB(disk);
  const outside = ground.office.files;
  for (const { name, reason } of wrongOffers(ground)) {
    const { stdout, code } = await play(disk, outside, `${update} /run/outside/${name} --no-restart`);
    assert.match(stdout, new RegExp(`update refused \\(${reason}\\)`), `${name}: ${stdout}`);
    assert.equal(code, 1);
    assert.equal(bootState(disk).first, 'a', `${name}: slot a stays`);
  }
  offer(ground, 'good');
  let complete = 0;
  for (let round = 0; round < kills; round++) {
    const after = (0.1 + ground.random(3000 + round) * 2.5).toFixed(2);
    await play(disk, outside, `timeout -s KILL ${after} ${update} /run/outside/good --no-restart`);
    const { first, b, trial } = bootState(disk);
    if (trial === null) assert.deepEqual([first, b], ['a', 0], 'a slot that is not whole is not tried');
    else assert.ok(slotIsWhole(disk), 'a slot on trial is whole');
    complete += trial === null ? 0 : 1;
    if (trial === null) continue;
    // Begin again: a kill before the first write must not find the trial of the round before.
    disk.write('state', bootStateAt, encodeBootState({ ...bootState(disk), first: 'a', b: 0, trial: null }));
    spoilSlotB(disk);
  }
  const { stdout } = await play(disk, outside, `${update} /run/outside/good --no-restart`);
  assert.match(stdout, /update written, \d+ octets/);
  assert.ok(slotIsWhole(disk));
  const onTrial = bootState(disk);
  assert.deepEqual([onTrial.first, onTrial.b, onTrial.trial], ['b', 1, 'b']);
  // The next release comes while this one has not proven itself: slot a is all that there is to go back to.
  const early = await play(disk, outside, `${update} /run/outside/good --release next`, 'b');
  assert.match(early.stdout, /update stopped: the running version is on trial/);
  assert.equal(early.code, 2, 'to be tried again');
  assert.deepEqual(bootState(disk), onTrial);
  return `foreign, older, same, other board and truncated: refused; ${kills} kills while writing: slot a stays, or b is whole (${complete}); then written`;
}

/** Slot b is on trial and runs, its supervisor too, but the portal is out of reach. */
export async function rollbackInTheRoot(ground: Ground): Promise<string> {
  const disk = await ground.newDisk('rollback-room');
  disk.write('state', bootStateAt, encodeBootState({ ...bootState(disk), first: 'b', b: 0, trial: 'b' }));
  const outside = join(ground.folder, 'rollback');
  mkdirSync(outside, { recursive: true });
  const { config, box } = parseSeed(moatToml(ground.office.publicKey));
  writeFileSync(join(outside, 'moat.json'), JSON.stringify(config));
  writeFileSync(join(outside, 'box.json'), JSON.stringify(box));
  copyFileSync(join(ground.office.files, '../identity.key'), join(outside, 'identity.key'));
  const script = `
    cp /run/outside/* /run/moat/config/; mkdir -p /var/lib/moat/state
    moat run --config /run/moat/config/moat.json --state /var/lib/moat/state >/run/log 2>&1 &
    /usr/bin/node /usr/lib/moat/rootfs/box/health.ts 2>/dev/null; cat /var/lib/moat/reports/*; kill %1`;
  const started = performance.now();
  const { stdout } = await play(disk, outside, script, 'b');
  const seconds = Math.round((performance.now() - started) / 1000);
  const said = /moat: the update does not work \((.*)\), going back/.exec(stdout)?.[1];
  assert.ok(said, stdout);
  assert.match(stdout, /"result":"rolled back".*"reason":"no-tunnel"/);
  const { first, b, trial, whyB } = bootState(disk);
  assert.deepEqual([first, b, trial, whyB], ['a', 0, null, 'no-tunnel']);
  return `after ${seconds} s: slot a is first, b is not tried again, the reason is in boot state and reports ("${said}")`;
}
