import { Command, InvalidArgumentError } from 'commander';
import { cleanUpOnSignals } from '../lab/signals.ts';
import { World } from '../lab/world.ts';
import { type CompareOptions, compare } from './compare.ts';

function wholeNumber(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError('expected a whole number from 1');
  return value;
}

cleanUpOnSignals();
const program = new Command('npm run bench --');
program
  .command('peers', { isDefault: true })
  .description(
    'one path many ways in the same run: plain forwarding, moat, and its peers; medians of interleaved rounds',
  )
  .option('--quick', 'one short round, below five minutes', false)
  .option('--rounds <number>', 'how many rounds', wholeNumber)
  .option('--only <word...>', 'subjects whose key begins with a word')
  .option('--json <file>', 'write all values too')
  .action((options: CompareOptions) => compare(options));
try {
  await program.parseAsync();
} catch (error) {
  console.error(`moat bench: ${error instanceof Error ? error.message : error}`);
  process.exitCode = 1;
} finally {
  await World.allDown();
}
