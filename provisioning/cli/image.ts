/** `portal image`: an image with the token in it, for who has a shell and no browser. */
import { createWriteStream, rmSync, statSync } from 'node:fs';
import { basename } from 'node:path';
import type { Command } from 'commander';
import { refuse } from '../facts/refusal.ts';
import { makeCode } from '../fleet/code.ts';
import { personalName, sendPersonalImage } from '../image/files.ts';
import { contextOf } from './context.ts';
import { wholeNumber } from './history.ts';
import { show, time } from './output.ts';
import { Progress } from './progress.ts';

export function imageCommand(program: Command): void {
  program
    .command('image')
    .argument('<device>')
    .description('a personal image: that of a release, with a new enrolment code of the box in it')
    .requiredOption('--base <file>', 'an image of `npm run image`: NAME.img or NAME.img.zst')
    .option('--out <file>', 'what it is written to, gzip (default: named after image and box)')
    .option('--hours <count>', 'for how many hours the code is good', '168')
    .action(async (device: string, options: { base: string; out?: string; hours: string }, command: Command) => {
      const { output, withDatabase } = contextOf(command);
      const { base, out = personalName(basename(options.base), device) } = options;
      if (!statSync(base, { throwIfNoEntry: false })?.isFile()) refuse('base', `there is no file '${base}'`, 'missing');
      const lifetimeSeconds = wholeNumber(options.hours, 'hours') * 3600;
      const now = Date.now();
      const made = await withDatabase((database) => makeCode(database, { device, now, lifetimeSeconds }));
      await write({ path: base, token: made.token, now }, out);
      const { expiresAt } = made;
      show(output, { image: out, device, expiresAt }, `${out}: its code is good until ${time(expiresAt)} UTC, once\n`);
    });
}

async function write(image: { path: string; token: string; now: number }, out: string): Promise<void> {
  const progress = new Progress('megabytes of the disk');
  try {
    const file = createWriteStream(out, { mode: 0o600 });
    await sendPersonalImage({ ...image, progress: (octets) => progress.at(Math.round(octets / 1e6)) }, file);
  } catch (error) {
    rmSync(out, { force: true });
    const { code, message } = error as NodeJS.ErrnoException;
    refuse(code === undefined ? 'base' : 'out', message);
  } finally {
    progress.end();
  }
}
