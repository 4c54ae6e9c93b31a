/** The plug is pulled at random instants; every next start reaches the tunnel by itself. */
import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { sleep } from '../../lab/processes.ts';
import type { Disk } from '../disk.ts';
import { Film, type Life } from '../film.ts';
import type { Ground } from '../ground.ts';
import { Headquarters } from '../headquarters.ts';
import { phase, series } from '../series.ts';

/** Normal running is cut within this time after the box works. */
const runningMs = 20_000;
/** Instants are chosen a little beyond the end, so that the end itself is among them. */
const beyond = 1.05;
const works = /moat: works in slot/;

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

/**
 * From power on to the first tunnel: key made, ports named, data partition filled, enrolled at the real portal by its token,
 * configuration fetched and proven. Until the box has a key every round has a box and a token of its own; from there on it goes on
 * from the film of one box, whose key the portal has seen.
 */
export async function whileFirstBoot(ground: Ground): Promise<string> {
  const headquarters = await Headquarters.open(ground.office);
  const { film, firstMs, key } = await filmOfFirstStart(ground, headquarters);
  return series(ground, 'firstBoot', async (round) => {
    const atMs = ground.random(1000 + round) * (firstMs + film.lengthMs) * beyond;
    const name = `cuts-first-${round}`;
    const life = await (atMs < firstMs
      ? firstInstants(ground, name, await headquarters.token(`box-${process.pid}-${round}`), atMs)
      : film.resume(atMs - firstMs, name));
    await life.box.cut();
    const seen = /moat: public key (\S+)\n/.exec(life.said)?.[1];
    if (atMs >= firstMs) assert.equal(seen, key);
    const next = ground.start(life.disk, 'cuts-first-next');
    const nextKey = await next.publicKey();
    if (seen !== undefined) assert.equal(nextKey, seen, 'a key that was shown is kept');
    const { slot, at, processorSeconds } = await next.works();
    await next.cut();
    forget(ground, name);
    return `cut at ${(atMs / 1000).toFixed(1)} s while ${phase(life.said)}; next start works in slot ${slot} at ${at} s (${processorSeconds} s of processor)${seen === undefined ? '' : ', same key'}`;
  });
}

async function filmOfFirstStart(ground: Ground, headquarters: Headquarters) {
  const name = 'cuts-first-film';
  const disk = await ground.enrollingDisk(name, await headquarters.token(`film-${process.pid}`));
  const began = performance.now();
  const box = ground.start(disk, name);
  const key = await box.publicKey();
  const firstMs = performance.now() - began;
  return { key, firstMs, film: await Film.record(ground, { name, box, disk, until: works }) };
}

async function firstInstants(ground: Ground, name: string, token: string, ms: number): Promise<Life> {
  const disk = await ground.enrollingDisk(name, token);
  const box = ground.start(disk, name);
  await sleep(ms);
  return { box, disk, said: box.console.text };
}

interface Update {
  /** File with the bundle: the box sees it as a disk. */
  readonly stick: string;
  /** Writes the bundle and restarts. */
  readonly command: string;
}

/** A bundle on a stick, written into the idle slot, booted, committed: cut anywhere on that way. */
export async function whileUpdating(ground: Ground, disk: Disk, { stick, command }: Update): Promise<string> {
  const options = { stick };
  const box = ground.start(disk, 'cuts-update-film', options);
  const key = await box.publicKey();
  await box.works();
  await box.shell('sync');
  box.console.say(command);
  await box.see(/moat: update to/);
  const until = /moat: works in slot b at \d+ s, update committed/;
  const film = await Film.record(ground, { name: 'cuts-update-film', box, disk, options, until });
  return series(ground, 'updating', async (round) => {
    const atMs = ground.random(2000 + round) * film.lengthMs * beyond;
    const name = `cuts-update-${round}`;
    const life = await film.resume(atMs, name);
    await life.box.cut();
    const next = ground.start(life.disk, 'cuts-update-next', options);
    assert.equal(await next.publicKey(), key, 'the identity is the same');
    const { slot, at, processorSeconds } = await next.works();
    await next.cut();
    forget(ground, name);
    return `cut at ${(atMs / 1000).toFixed(1)} s while ${phase(life.said)}; next start works in slot ${slot} at ${at} s (${processorSeconds} s of processor)`;
  });
}

/** The disk of a round that went well is of no use any more. */
function forget(ground: Ground, name: string): void {
  for (const ending of ['img', 'qcow2']) rmSync(join(ground.folder, `${name}.${ending}`), { force: true });
}
