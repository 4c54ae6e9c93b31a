/** Every command of `portal`. */
import { Command } from 'commander';
import { backupCommands } from './backup.ts';
import { completionScript } from './completion.ts';
import { fleetCommands } from './fleet.ts';
import { historyCommands } from './history.ts';
import { imageCommand } from './image.ts';
import { initCommand } from './init.ts';
import { operatorCommands } from './operators.ts';
import { addRecordCommands } from './records.ts';
import { runCommand } from './run.ts';
import { transferCommands } from './transfer.ts';

const firstSteps = `
From nothing to a box:
  portal --dir D init --address 198.51.100.10 --network 10.1.0.0/16
  portal --dir D customer add acme
  portal --dir D device add home-1 --customer acme
  portal --dir D enroll-code home-1
  portal --dir D run

Nothing is lost: every change is a revision (log, diff, undo), --preview shows it before it is made.
Exit status: 0 done, 1 refused (which field, and what was expected), 2 the database or a bug.
`;

export function portalProgram(): Command {
  const program = new Command('portal')
    .description("a fleet of boxes, and the portal's memory of it")
    .option('--dir <folder>', "the portal's folder (default: MOAT_PORTAL_DIR, or /var/lib/moat-portal)")
    .option('--json', 'JSON for programs')
    .addHelpText('after', firstSteps);
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
