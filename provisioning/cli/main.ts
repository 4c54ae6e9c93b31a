/** The `portal` command. Exit status: 0 done, 1 refused (standard error says which field), 2 a bug or a lost database. */
import { Refusal } from '../facts/refusal.ts';
import { refusalText } from './output.ts';
import { portalProgram } from './program.ts';

try {
  await portalProgram().parseAsync();
} catch (error) {
  const json = process.argv.includes('--json');
  if (error instanceof Refusal) process.stderr.write(refusalText(error, json));
  else process.stderr.write(`portal: ${(error as Error).message}\n`);
  process.exitCode = error instanceof Refusal ? 1 : 2;
}
