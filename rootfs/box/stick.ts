/**
 * A USB stick was put in. Usage: stick.ts DEVICE (such as sda1). What the box does is told by files on it: `moat-support` asks for the
 * support bundle, which is written beside it; `moat-reset` holds an order, signed by who releases, to forget everything.
 */
import { createPublicKey } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { readText, run, runningSlot } from './disk.ts';
import { onConfigPartition } from './fat.ts';
import { resetMark } from './reset.ts';
import { isResetOrder } from './reset-order.ts';

const place = '/run/moat/stick';
const keyFolder = '/usr/lib/moat/update-keys';
const mostLines = 1000;

function main(device: string): void {
  mkdirSync(place, { recursive: true });
  const mounted = run('mount', ['-t', 'vfat', '-o', 'rw,umask=077,flush', `/dev/${device}`, place]);
  if (mounted.exitCode !== 0) return;
  let restart = false;
  try {
    if (existsSync(`${place}/moat-support`)) writeSupport();
    restart = takeResetOrder();
  } finally {
    run('umount', [place]);
  }
  if (restart) run('systemctl', ['reboot']);
}

function writeSupport(): void {
  const { output, exitCode } = run('/usr/bin/moat', ['support', '--state', '/var/lib/moat/state']);
  const reports = readdirSync('/var/lib/moat/reports').map((name) => readText(`/var/lib/moat/reports/${name}`));
  const journal = run('journalctl', ['-b', '--no-pager', '-o', 'short-monotonic', '-n', `${mostLines}`]).output;
  const bundle = { slot: runningSlot(), support: exitCode === 0 ? JSON.parse(output) : output, reports, journal };
  writeFileSync(`${place}/moat-support.json`, JSON.stringify(bundle, null, 1));
  console.log('moat: support bundle written to the stick');
}

function takeResetOrder(): boolean {
  const text = readText(`${place}/moat-reset`);
  if (text === null) return false;
  const keys = readdirSync(keyFolder).map((name) => createPublicKey(readFileSync(`${keyFolder}/${name}`)));
  const own = readText('/run/moat/public-key')?.trim() ?? '';
  if (!isResetOrder(text, own, keys)) {
    console.log('moat: the order to reset on the stick is not signed for this box');
    return false;
  }
  console.log('moat: the order to reset on the stick is followed');
  // The next start does it, before anything runs that could write what it forgets.
  return onConfigPartition('rw', (folder) => writeFileSync(`${folder}/${resetMark}`, '')) !== null;
}

const [device = ''] = process.argv.slice(2);
if (!/^[a-z0-9]+$/.test(device)) throw new Error('usage: stick.ts DEVICE');
main(device);
