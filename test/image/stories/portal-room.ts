/**
 * A portal's first start in its own root without QEMU, on loop devices of the image's partitions: the real `start.ts` is cut at random
 * instants. A cut is a copy of the disk while everything stands still: what was not written by then is lost, as with the power. There is
 * no FAT partition here: the operator is kept to be told later.
 */
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { blockOctets, decodeBootState, encodeBootState } from '../../../rootfs/box/boot-state.ts';
import { parseSeed } from '../../../rootfs/box/seed.ts';
import { run, sleep } from '../../lab/processes.ts';
import { Child } from '../child.ts';
import { inRoot, root, withLoops } from '../chroot.ts';
import { Disk } from '../disk.ts';
import type { Ground } from '../ground.ts';

const portalRoot = root.replace(/amd64\/root$/, 'amd64-portal/root');
export const partitions = ['state', 'data'] as const;
/** On an idle machine a first start takes about a second. */
const longestMs = 1100;
const rounds = 20;

/** Inside: /var is the data partition. */
function startScript(data: string, then: string): string {
  return `umount /var && mount -t ext4 -o noatime,commit=60 ${data} /var || exit 1
    cp /run/outside/portal.json /run/moat/config/
    node /usr/lib/moat/rootfs/portal/start.ts 2>&1 || exit 1
    ${then}`;
}

/** What the operator of the file finds (null: there is no file): does the password fit, how many are there, which key has the portal. */
const look = `
  sync; cat > /run/look.mjs <<'END'
import { DatabaseSync } from 'node:sqlite';
import { scryptSync } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
const database = new DatabaseSync('/var/lib/moat-portal/moat.db');
const operators = database.prepare('select * from operators').all();
const file = '/var/lib/moat-portal/first-operator.txt';
const text = existsSync(file) ? readFileSync(file, 'utf8') : '';
const password = /^password: (.*)$/m.exec(text)?.[1] ?? '';
const [, salt, hash] = operators[0].password.split('.');
const made = scryptSync(password, Buffer.from(salt, 'base64url'), 32, { N: 32768, r: 8, p: 1, maxmem: 67108864 });
const fits = text === '' ? null : made.equals(Buffer.from(hash, 'base64url')) && text.includes(operators[0].totp_secret);
const portals = database.prepare('select public_key from portals').all();
console.log('LOOK ' + JSON.stringify({ fits, hash, operators: operators.length, portals: portals.length, key: portals[0].public_key, ok: database.prepare('pragma integrity_check').get().integrity_check }));
END
  node /run/look.mjs`;

export interface Found {
  readonly fits: boolean | null;
  /** Of the first operator's password. */
  readonly hash: string;
  readonly operators: number;
  readonly portals: number;
  readonly key: string;
  readonly ok: string;
}

/** The command of `chroot.ts`, in the portal's root instead of the box's. */
export function command(loops: readonly string[], outside: string, script: string): string[] {
  return inRoot(partitions, loops, outside, script).map((word) => (word === root ? portalRoot : word));
}

/** @returns what `look` found after a start that nobody cut. */
export async function startAndLook(disk: Disk, outside: string): Promise<Found & { said: string }> {
  return withLoops(disk, partitions, async (loops) => {
    const { stdout, stderr } = await run(command(loops, outside, startScript(loops[1] ?? '', look)));
    const line = /^LOOK (.*)$/m.exec(stdout)?.[1];
    assert.ok(line, `${stdout}${stderr}`);
    return { ...(JSON.parse(line) as Found), said: stdout };
  });
}

/** Every process of its session; one that has ended in between is none. */
async function signalAll(child: Child, signal: NodeJS.Signals): Promise<void> {
  const { stdout } = await run(['pgrep', '--session', `${child.pid}`]);
  for (const pid of stdout.split('\n').filter((line) => line !== '')) {
    try {
      process.kill(Number(pid), signal);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }
}

/** @returns the disk as the cut left it, and what had been said by then. */
async function cutStart(disk: Disk, outside: string, ms: number, to: string): Promise<{ disk: Disk; said: string }> {
  return withLoops(disk, partitions, async (loops) => {
    const script = startScript(loops[1] ?? '', 'echo DONE; sleep 60');
    const child = new Child(command(loops, outside, script), `${to}.log`);
    await sleep(ms);
    // Twice: one of them may have started another in between.
    for (const _ of [1, 2]) await signalAll(child, 'SIGSTOP');
    const left = await disk.copy(`${to}.img`);
    const said = child.text;
    await signalAll(child, 'SIGKILL');
    await child.kill();
    return { disk: left, said };
  });
}

/** The folder that the root sees as /run/outside, with what is shipped as moat.toml. */
export function outsideOf(ground: Ground): string {
  const outside = join(ground.folder, 'portal-room');
  mkdirSync(outside, { recursive: true });
  const shipped = readFileSync(join(import.meta.dirname, '../../../images/moat-portal.toml'), 'utf8');
  writeFileSync(join(outside, 'portal.json'), JSON.stringify(parseSeed(shipped, 'portal').portal));
  return outside;
}

export function portalImage(ground: Ground): Disk {
  return new Disk(join(dirname(ground.options.image), 'pc-portal.img'));
}

export async function portalInTheRoot(ground: Ground): Promise<string> {
  const outside = outsideOf(ground);
  const phases: Record<string, number> = {};
  for (let round = ground.options.from; round < ground.options.from + rounds; round++) {
    const to = join(ground.folder, `portal-room-${round}`);
    const disk = await portalImage(ground).copy(`${to}-first.img`);
    const cut = await cutStart(disk, outside, ground.random(5000 + round) * longestMs, to);
    const first = await startAndLook(cut.disk, outside);
    assert.deepEqual([first.fits, first.operators, first.portals, first.ok], [true, 1, 1, 'ok'], first.said);
    const again = await startAndLook(cut.disk, outside);
    assert.equal(again.key, first.key, 'the same portal');
    assert.doesNotMatch(again.said, /is made|restored/, 'nobody is made or told twice');
    const wasMade = /the portal is made/.test(cut.said);
    if (wasMade) assert.doesNotMatch(first.said, /the portal is made/, 'what was said to be made is there');
    const phase = /DONE/.test(cut.said) ? 'after it' : wasMade ? 'once it was made' : 'while it was made';
    phases[phase] = (phases[phase] ?? 0) + 1;
    for (const end of ['-first.img', '.img']) rmSync(`${to}${end}`, { force: true });
  }
  const where = Object.entries(phases).map(([name, count]) => `${count} ${name}`);
  return `${rounds} cuts (${where.join(', ')}): one portal, one operator, whose file fits, and the next start changes nothing`;
}

const bootStateAt = 2048;

/**
 * An update of a portal on trial in slot b: kept when its tunnel end is open and its provisioning service writes; with a service that does
 * not come up it goes back, and says why.
 */
export async function portalTrials(ground: Ground): Promise<string> {
  const outside = outsideOf(ground);
  const disk = await portalImage(ground).copy(join(ground.folder, 'portal-trial.img'));
  const bootState = () => decodeBootState(disk.read('state', bootStateAt, blockOctets));
  const service =
    'setpriv --reuid moat-portal --regid moat-portal --clear-groups /usr/bin/portal run >/run/portal.log 2>&1 &';
  const tunnel =
    'moat run --watch --config /var/lib/moat-portal/tunnel.json --state /var/lib/moat/state >/run/log 2>&1 &';
  const health = '/usr/bin/node /usr/lib/moat/rootfs/box/health.ts 2>/dev/null; cat /var/lib/moat/reports/*';
  const prepared =
    "echo b >/run/moat/slot; echo '{}' >/run/moat/config/box.json; mkdir -p /var/lib/moat/state; ip address add 10.1.0.5/16 dev lo";
  const trial = (programs: string) => {
    disk.write('state', bootStateAt, encodeBootState({ ...bootState(), first: 'b', a: 3, b: 0, trial: 'b' }));
    return withLoops(disk, partitions, (loops) =>
      run(command(loops, outside, startScript(loops[1] ?? '', `${prepared}; ${programs} ${health}`)), {
        timeout: 400_000,
      }),
    );
  };
  const good = await trial(`${service} ${tunnel}`);
  assert.match(good.stdout, /works in slot b .*update committed/, `${good.stdout}${good.stderr}`);
  assert.deepEqual([bootState().first, bootState().b, bootState().trial], ['b', 3, null]);
  const started = performance.now();
  const bad = await trial(tunnel);
  const seconds = Math.round((performance.now() - started) / 1000);
  const said = /moat: the update does not work \((.*)\), going back/.exec(bad.stdout)?.[1];
  assert.match(said ?? bad.stdout, /provisioning service does not answer/);
  assert.deepEqual([bootState().first, bootState().b, bootState().whyB], ['a', 0, 'no-portal']);
  return `with its service the update is kept; without it slot a is first after ${seconds} s ("${said}")`;
}
