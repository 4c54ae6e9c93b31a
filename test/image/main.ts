/**
 * `npm run test:image [-- --all] [--only NAME] [--image FILE] [--board arm64-efi] [--seed N] [--from N --count N]`: the image in
 * QEMU. Prints a line per story, and one per round of a series. Another board than pc has only `--only UEFI`.
 */
import { basename, join } from 'node:path';
import { parseArgs } from 'node:util';
import { Ground, type Rounds } from './ground.ts';
import type { Board } from './qemu.ts';
import { bootsBy } from './stories/boot.ts';
import { wrongClocks } from './stories/clock.ts';
import { whileFirstBoot, whileRunning } from './stories/cuts.ts';
import { filled, ofData, ofRoot } from './stories/damage.ts';
import { hangs } from './stories/hangs.ts';
import { resetAndSupport } from './stories/helping.ts';
import { cutsWhilePortalIsMade, flashedPortal, portalFromItsStick } from './stories/portal.ts';
import { portalDamages } from './stories/portal-damage.ts';
import { portalInTheRoot, portalTrials } from './stories/portal-room.ts';
import { releaseThatFails } from './stories/release.ts';
import { costOfStart, writesAtRest } from './stories/resting.ts';
import { manyDamages } from './stories/room.ts';
import { servicesInTheRoot } from './stories/services.ts';
import { sshByKey } from './stories/ssh.ts';
import { rollbackInTheRoot, updatesInTheRoot } from './stories/update-room.ts';
import { cutUpdates, updates } from './stories/updates.ts';

const { values } = parseArgs({
  options: {
    all: { type: 'boolean', default: false },
    only: { type: 'string', multiple: true },
    image: { type: 'string' },
    board: { type: 'string', default: 'pc' },
    seed: { type: 'string' },
    from: { type: 'string', default: '0' },
    count: { type: 'string' },
  },
});

const board: Board = values.board === 'arm64-efi' ? 'arm64-efi' : 'pc';

const reduced: Rounds = { running: 2, firstBoot: 1, updating: 1, damage: 2 };
const everything: Rounds = { running: 100, firstBoot: 50, updating: 100, damage: 38 };

/** `--count`: so many of whichever series is played. */
function chosenRounds(): Rounds {
  if (values.count === undefined) return values.all ? everything : reduced;
  const count = Number(values.count);
  return { running: count, firstBoot: count, updating: count, damage: count };
}

const stories: Readonly<Record<string, (ground: Ground) => Promise<string>>> = {
  'boot by BIOS': (ground) => bootsBy(ground, 'bios'),
  'many damages, without QEMU': manyDamages,
  'services, without QEMU': servicesInTheRoot,
  'updates, without QEMU': updatesInTheRoot,
  'rollback, without QEMU': rollbackInTheRoot,
  'flipped bits': ofRoot,
  'refused, good and useless updates': updates,
  'release that fails, by the portal': releaseThatFails,
  'damaged data': ofData,
  'cuts while running': whileRunning,
  'filled data': filled,
  'reset and support': resetAndSupport,
  'a box that hangs': hangs,
  'ssh by key': sshByKey,
  'wrong clocks': wrongClocks,
  'cuts in the first start': whileFirstBoot,
  'cuts while updating': cutUpdates,
  'portal cut in its first start, without QEMU': portalInTheRoot,
  'portal damaged, without QEMU': portalDamages,
  'portal on trial, without QEMU': portalTrials,
  'flashed portal': flashedPortal,
  'portal from its stick': portalFromItsStick,
  'cuts while a portal is made': cutsWhilePortalIsMade,
  'cost of a start': costOfStart,
  'writes at rest': writesAtRest,
  'boot by UEFI': (ground) => bootsBy(ground, 'uefi'),
};

const top = join(import.meta.dirname, '../..');
const image = values.image ?? join(top, `.build/image/${board}.img`);
const seed = Number(values.seed ?? Date.now() % 1_000_000);
const ground = await Ground.open(join(top, `.runs/image-${process.pid}`), {
  board,
  image,
  imageName: basename(image, '.img'),
  rounds: chosenRounds(),
  seed,
  from: Number(values.from),
});
let failed = 0;
let stopping = false;
const stop = () => {
  stopping = true;
  void ground.close().then(() => process.exit(130));
};
process.once('SIGINT', stop).once('SIGTERM', stop);
console.log(`seed ${seed}, files in ${ground.folder}`);
for (const [name, story] of Object.entries(stories)) {
  if (values.only !== undefined && !values.only.some((part) => name.includes(part))) continue;
  if (stopping) break;
  const started = performance.now();
  const result = await story(ground).catch((error: Error) => {
    failed++;
    return `FAILED: ${error.stack}`;
  });
  await ground.powerOff();
  console.log(`${name} (${Math.round((performance.now() - started) / 1000)} s): ${result}`);
}
await ground.close();
process.exitCode = failed > 0 ? 1 : 0;
