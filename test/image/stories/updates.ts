/** Signed bundles into the idle slot: kept when they work, gone when they do not, refused when they are not right. */
import assert from 'node:assert/strict';
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { mkdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { signingKey } from '../../../images/signing.ts';
import { describe, encodeHead, type Manifest } from '../../../rootfs/box/bundle.ts';
import type { Box } from '../box.ts';
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

export function built(): Slot {
  const release = JSON.parse(readFileSync(join(slotFolder, 'slot.json'), 'utf8')) as Slot['release'];
  return {
    boot: readFileSync(join(slotFolder, 'boot.img')),
    root: readFileSync(join(slotFolder, 'root.img')),
    release,
  };
}

/** Puts a bundle where the box can fetch it through the tunnel. @returns its URL */
export function offer(
  ground: Ground,
  name: string,
  changes: Partial<Manifest> = {},
  key: KeyObject = signingKey(),
): string {
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

/** One life of a box: five bundles that are not right, one that is, and one whose tunnel does not come up. */
export async function updates(ground: Ground): Promise<string> {
  const { disk, publicKey } = await ground.seasoned('updates');
  // What differs from the idle slot is fetched: all of it shall have to be.
  spoilSlotB(disk);
  const box = ground.start(disk, 'updates');
  await box.works();
  await refuses(ground, box);
  await takes(ground, box);
  await box.cut();
  const next = ground.start(disk, 'updates');
  assert.equal((await next.works()).slot, 'b', 'the update is kept over a power cut');
  const seconds = await goesBack(ground, next, publicKey);
  await next.cut();
  return `foreign, older, same, other board and truncated: refused; fetched through the tunnel, written, committed, kept over a power cut; useless: gone ${seconds} s after its slot was chosen, reason kept`;
}

interface WrongOffer {
  readonly name: string;
  readonly url: string;
  /** The word that the box has for it. */
  readonly reason: string;
}

/** Bundles that no box may take. */
export function wrongOffers(ground: Ground): WrongOffer[] {
  const wrong = (name: string, reason: string, url: string) => ({ name, reason, url });
  const offers = [
    wrong('foreign', 'signature', offer(ground, 'foreign', {}, generateKeyPairSync('ed25519').privateKey)),
    wrong('older', 'older', offer(ground, 'older', { version: '0.0.9' })),
    wrong('same', 'same', offer(ground, 'same', { serial: built().release.serial })),
    wrong('board', 'board', offer(ground, 'board', { board: 'toaster' })),
    wrong('short', 'truncated', offer(ground, 'short')),
  ];
  const short = join(ground.office.files, 'short');
  truncateSync(short, Math.floor(statSync(short).size * 0.75));
  return offers;
}

async function refuses(ground: Ground, box: Box): Promise<void> {
  for (const { url, reason } of wrongOffers(ground)) {
    const said = await box.shell(`${command} ${url} --no-restart`, 300);
    assert.match(said, new RegExp(`update refused \\(${reason}\\)`), `${url}: ${said}`);
  }
}

async function takes(ground: Ground, box: Box): Promise<void> {
  box.console.say(`${command} ${offer(ground, 'good')}`);
  await written(box);
  assert.equal((await box.works()).slot, 'b');
}

/** @throws {Error} at once when the bundle is refused or cannot be fetched. */
async function written(box: Box): Promise<void> {
  const [said] = await box.see(/moat: update (written, \d+ octets|refused[^\n]*|stopped[^\n]*)/, 600);
  assert.match(said, /update written/);
}

/**
 * The image boots, but its tunnel does not come up: the portal does not answer while it is on trial.
 * @returns seconds from the choice of the new slot to the decision against it.
 */
async function goesBack(ground: Ground, box: Box, publicKey: string): Promise<number> {
  box.console.say(`${command} ${offer(ground, 'useless')}`);
  await written(box);
  await ground.office.shut();
  await box.see(/moat: slot a/);
  const started = performance.now();
  await box.see(/moat: the update does not work \(([^)]*)\)/, 900);
  const seconds = Math.round((performance.now() - started) / 1000);
  await ground.office.admit(publicKey);
  assert.equal((await box.works()).slot, 'b', 'the old slot runs again');
  const reports = await box.shell('cat /var/lib/moat/reports/*update*');
  assert.match(reports, /rolled back[^}]*no-tunnel/s);
  return seconds;
}

export async function cutUpdates(ground: Ground): Promise<string> {
  offer(ground, 'cuts');
  const stick = join(ground.office.files, 'cuts');
  truncateSync(stick, Math.ceil(statSync(stick).size / 512) * 512);
  const { disk } = await ground.seasoned('cut-update');
  // Everything shall have to be written: that is what is cut.
  spoilSlotB(disk, 1);
  return whileUpdating(ground, disk, { stick, command: `${command} /dev/sda` });
}

/** @param every which MiB of its root. */
export function spoilSlotB(disk: Disk, every = 3): void {
  for (let at = 0; at < 100; at += every) disk.write('root-b', at * 1_048_576, new Uint8Array(1_048_576).fill(at));
}
