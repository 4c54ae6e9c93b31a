/** The `portal` command. Exit status: 0 done, 1 refused (standard error says which field), 2 a bug or a lost database. */
import { Command } from 'commander';
import { Refusal } from '../facts/refusal.ts';
import { backupCommands } from './backup.ts';
import { completionScript } from './completion.ts';
import { fleetCommands } from './fleet.ts';
import { historyCommands } from './history.ts';
import { imageCommand } from './image.ts';
import { initCommand } from './init.ts';
import { operatorCommands } from './operators.ts';
import { refusalText } from './output.ts';
import { addRecordCommands } from './records.ts';
import { runCommand } from './run.ts';
import { transferCommands } from './transfer.ts';

function portalProgram(): Command {
  const program = new Command('portal')
    .description("a fleet of boxes, and the portal's memory of it")
    .option('--dir <folder>', "the portal's folder (default: MOAT_PORTAL_DIR, or /var/lib/moat-portal)")
    .option('--json', 'JSON for programs');
  initCommand(program);
  runCommand(program);
  addRecordCommands(program);
  fleetCommands(program);
  imageCommand(program);
  historyCommands(program);
  transferCommands(program);
  backupCommands(program);
  operatorCommands(program);
  program
    .command('completion')
    .description('shell completion: source <(portal completion)')
    .action(() => {
      process.stdout.write(completionScript(program));
    });
  return program;
}

try {
  await portalProgram().parseAsync();
} catch (error) {
  const json = process.argv.includes('--json');
  if (error instanceof Refusal) process.stderr.write(refusalText(error, json));
  else process.stderr.write(`portal: ${(error as Error).message}\n`);
  process.exitCode = error instanceof Refusal ? 1 : 2;
}
