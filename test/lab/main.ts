import { Command, CommanderError } from 'commander';
import { check, down, execute, list } from './commands.ts';
import { LabError } from './requirements.ts';
import { show } from './show.ts';
import { cleanUpOnSignals } from './signals.ts';
import { World } from './world.ts';

function commandLine(): Command {
  const program = new Command('npm run lab --').enablePositionalOptions().exitOverride();
  program
    .description(
      'A world of network namespaces: pc - moat - (home-router) - internet - portal - corp. Without an argument: a tour.',
    )
    .option('--no-nat', 'without the home router and its NAT')
    .action((options: { nat: boolean }) => show(options));
  program
    .command('check [story...]')
    .description('play stories (all when none is named): one line per step; ends at the first that fails')
    .action(check);
  program
    .command('exec <host> <command...>')
    .description('run a command in a host of the running world')
    .option('--world <id>', 'which world, when several run')
    .passThroughOptions()
    .action((host: string, command: string[], options: { world?: string }) => execute(host, command, options.world));
  program.command('down').description('remove all worlds and what is left of dead ones').action(down);
  program
    .command('list')
    .description('hosts and stories')
    .option('--json', 'for programs')
    .action((options: { json?: boolean }) => list(options.json ?? false));
  return program;
}

cleanUpOnSignals();
try {
  await commandLine().parseAsync();
} catch (error) {
  await World.allDown();
  if (error instanceof CommanderError) process.exitCode = error.exitCode;
  else {
    const sentence = error instanceof LabError ? error.message : error instanceof Error ? error.stack : String(error);
    console.error(`moat lab: ${sentence}`);
    process.exitCode = 1;
  }
}
