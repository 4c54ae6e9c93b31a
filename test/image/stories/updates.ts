/** Signed bundles into the idle slot: kept when they work, gone when they do not, refused when they are not right. */
import assert from 'node:assert/strict';
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { mkdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { signingKey } from '../../../images/signing.ts';
import { describe, encodeHead, type Manifest } from '../../../rootfs/box/bundle.ts';
import type { Disk } from '../disk.ts';
import type { Ground } from '../ground.ts';
import { whileUpdating } from './cuts.ts';

const slotFolder = join(import.meta.dirname, '../../../.build/image/amd64');
const command = '/usr/bin/node /usr/lib/moat/rootfs/box/update.ts';

interface Slot {
  readonly boot: Buffer;
  readonly root: Buffer;
  readonly release: { version: string; serial: number; board: string };
}

function built(): Slot {
  const release = JSON.parse(readFileSync(join(slotFolder, 'slot.json'), 'utf8')) as Slot['release'];
  return {
    boot: readFileSync(join(slotFolder, 'boot.img')),
    root: readFileSync(join(slotFolder, 'root.img')),
    release,
  };
}

/** Puts a bundle where the box can fetch it through the tunnel. @returns its URL */
function offer(ground: Ground, name: string, changes: Partial<Manifest> = {}, key: KeyObject = signingKey()): string {
  const { boot, root, release } = built();
  const { version, board } = release;
  const manifest = {
    version,
    board,
    serial: release.serial + 1,
    boot: describe(boot),
    root: describe(root),
    ...changes,
  };
  mkdirSync(ground.office.files, { recursive: true });
  writeFileSync(join(ground.office.files, name), Buffer.concat([encodeHead(manifest, key), boot, root]));
  return ground.office.url(name);
}

export async function refusals(ground: Ground): Promise<string> {
  const { disk } = await ground.seasoned('refusals');
  // What differs from the idle slot is fetched: all of it shall have to be.
  spoilSlotB(disk);
  const box = ground.start(disk, 'refusals');
  await box.works();
  const foreign = offer(ground, 'foreign', {}, generateKeyPairSync('ed25519').privateKey);
  const older = offer(ground, 'older', { version: '0.0.9' });
  const same = offer(ground, 'same', { serial: built().release.serial });
  const board = offer(ground, 'board', { board: 'toaster' });
  const short = offer(ground, 'short');
  truncateSync(join(ground.office.files, 'short'), 90_000_000);
  for (const [url, reason] of [
    [foreign, 'signature'],
    [older, 'older'],
    [same, 'older'],
    [board, 'board'],
    [short, 'truncated'],
  ] as const) {
    const said = await box.shell(`${command} ${url} --no-restart`, 300);
    assert.match(said, new RegExp(`update refused \\(${reason}\\)`), `${url}: ${said}`);
  }
  await box.cut();
  const next = ground.start(disk, 'refusals');
  assert.equal((await next.works()).slot, 'a', 'slot a runs on after a truncated bundle went into slot b');
  await next.cut();
  return 'foreign signature, older version, same version, other board, truncated bundle: refused, slot a runs on';
}

export async function goodUpdate(ground: Ground): Promise<string> {
  const { disk } = await ground.seasoned('update');
  const box = ground.start(disk, 'update');
  await box.works();
  spoilSlotB(disk);
  const url = offer(ground, 'good');
  box.console.say(`${command} ${url}`);
  await box.see(/update written, (\d+) octets/, 300);
  const { slot } = await box.works();
  assert.equal(slot, 'b');
  await box.cut();
  const next = ground.start(disk, 'update');
  assert.equal((await next.works()).slot, 'b', 'the update is kept over the next start');
  await next.cut();
  return 'fetched through the tunnel, written, booted, committed, kept over a power cut';
}

/** The image boots, but its tunnel does not come up: the portal does not answer while it is on trial. */
export async function uselessUpdate(ground: Ground): Promise<string> {
  const { disk, publicKey } = await ground.seasoned('useless');
  const box = ground.start(disk, 'useless');
  await box.works();
  box.console.say(`${command} ${offer(ground, 'useless')}`);
  await box.see(/update written/, 300);
  await ground.office.shut();
  const started = performance.now();
  await box.see(/moat: slot b/);
  await box.see(/moat: the update does not work \(([^)]*)\)/, 900);
  const seconds = Math.round((performance.now() - started) / 1000);
  await ground.office.admit(publicKey);
  assert.equal((await box.works()).slot, 'a', 'the old slot runs again');
  const reports = await box.shell('cat /var/lib/moat/reports/*update*');
  assert.match(reports, /rolled back.*no-tunnel/s);
  await box.cut();
  return `gone ${seconds} s after slot b was chosen, the reason is kept`;
}

export async function cutUpdates(ground: Ground): Promise<string> {
  offer(ground, 'cuts');
  const stick = join(ground.office.files, 'cuts');
  truncateSync(stick, Math.ceil(statSync(stick).size / 512) * 512);
  const { disk } = await ground.seasoned('cut-update');
  // Everything shall have to be written.
  spoilSlotB(disk);
  return whileUpdating(ground, disk, { stick, command: `${command} /dev/sda` });
}

function spoilSlotB(disk: Disk): void {
  for (let at = 0; at < 100; at += 3) disk.write('root-b', at * 1_048_576, new Uint8Array(1_048_576).fill(at));
}
