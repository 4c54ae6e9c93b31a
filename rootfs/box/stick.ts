/**
 * A USB stick was put in. Usage: stick.ts DEVICE (such as sda1). What the box does is told by files on it: `moat-support` asks for the
 * support bundle, which is written beside it; `moat-reset` holds an order, signed by who releases, to forget everything.
 */
import { createPublicKey } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { readText, run, runningSlot } from './disk.ts';
import { onConfigPartition } from './fat.ts';
import { readReports } from './report.ts';
import { resetMark } from './reset.ts';
import { isResetOrder } from './reset-order.ts';

const place = '/run/moat/stick';
const keyFolder = '/usr/lib/moat/update-keys';
const mostLines = 1000;
/** For each of the two programs that are asked; the unit itself has three minutes. */
const patienceMs = 60_000;

function main(device: string): void {
  if (!isStick(device)) return;
  mkdirSync(place, { recursive: true });
  // Without `rw`: one that is write-protected is mounted all the same, and its order is read.
  const mounted = run('mount', ['-t', 'vfat', '-o', 'umask=077,flush', `/dev/${device}`, place]);
  if (mounted.exitCode !== 0) {
    say(`the stick ${device} cannot be read (FAT is expected): ${mounted.output}`);
    return;
  }
  let restart = false;
  try {
    if (existsSync(`${place}/moat-support`)) support();
    restart = takeResetOrder();
  } finally {
    run('umount', [place]);
  }
  if (restart) run('systemctl', ['reboot']);
}

/** Not a disk with partitions, each of which comes by itself; nor a part of a medium of moat: the box itself may run from a stick. */
function isStick(device: string): boolean {
  const block = `/sys/class/block/${device}`;
  const isDivided = readdirSync(block).some((name) => name.startsWith(device));
  return !isDivided && !/^PARTNAME=moat-/m.test(readText(`${block}/uevent`) ?? '');
}

function say(sentence: string): void {
  console.log(`moat: ${sentence}`);
}

/** Before an order is followed, because that forgets what the bundle tells; but whatever goes wrong here, the order is followed. */
function support(): void {
  const file = `${place}/moat-support.json`;
  try {
    writeFileSync(file, JSON.stringify(supportBundle(), null, 1));
    say('support bundle written to the stick');
  } catch (error) {
    say(`no support bundle on the stick: ${(error as Error).message}`);
    // Half of one helps nobody.
    run('rm', ['-f', file]);
  }
}

function supportBundle() {
  const support = run('/usr/bin/moat', ['support', '--state', '/var/lib/moat/state'], patienceMs);
  const journal = run('journalctl', ['-b', '--no-pager', '-o', 'short-monotonic', '-n', `${mostLines}`], patienceMs);
  return { slot: runningSlot(), support: inside(support.output), reports: readReports(), journal: journal.output };
}

/** What it says instead, where it is no JSON. */
function inside(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function takeResetOrder(): boolean {
  const text = readText(`${place}/moat-reset`);
  if (text === null) return false;
  const keys = readdirSync(keyFolder).map((name) => createPublicKey(readFileSync(`${keyFolder}/${name}`)));
  const own = readText('/run/moat/public-key')?.trim() ?? '';
  if (!isResetOrder(text, own, keys)) {
    say('the order to reset on the stick is not signed for this box');
    return false;
  }
  // The next start does it, before anything runs that could write what it forgets.
  const isMarked = onConfigPartition('rw', (folder) => writeFileSync(`${folder}/${resetMark}`, '')) !== null;
  say(
    `the order to reset on the stick ${isMarked ? 'is followed' : 'cannot be followed: the partition of moat.toml does not mount'}`,
  );
  return isMarked;
}

const [device = ''] = process.argv.slice(2);
if (!/^[a-z0-9]+$/.test(device)) throw new Error('usage: stick.ts DEVICE');
main(device);
