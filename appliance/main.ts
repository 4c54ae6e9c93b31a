import { homedir } from 'node:os';
import { join } from 'node:path';
import { Command, Option } from 'commander';
import { version } from './lib/version.ts';

const defaultState = process.getuid?.() === 0 ? '/run/moat' : join(homedir(), '.moat');
const stateOption = () =>
  new Option('--state <dir>', 'where the control socket is').env('MOAT_STATE').default(defaultState);
const jsonOption = () => new Option('--json', 'print JSON for programs');

// Each command loads its own code only: `moat status` is asked often, and need not read what `run` needs.
const program = new Command('moat')
  .description('The tunnel of a home or a portal: run it, see how it is, and why.')
  .version(version)
  .showHelpAfterError()
  .addHelpText(
    'after',
    `
Examples:
  moat keygen --out identity.key       make this box's key; prints the public half for the other side
  moat enroll moat1.aHR0...            join a portal: key, configuration and changes come by themselves
  moat check home.toml                 is the configuration right? names each wrong field
  moat run --config home.toml          run in the foreground; log lines are JSON on stdout
  moat status                          what is up, what is not, and whose fault it is
  moat doctor                          the whole way to the company, layer by layer`,
  );

program
  .command('run')
  .description('run the tunnel in the foreground until SIGTERM or SIGINT; SIGHUP reads the configuration again')
  .option(
    '--config <file>',
    "configuration, TOML or JSON; a box that has enrolled runs its portal's",
    '/etc/moat/moat.toml',
  )
  .addOption(stateOption())
  .option('--watch', 'read the configuration again whenever its file is replaced, as `portal run` does')
  .addOption(
    new Option('--log-level <level>', 'least important line to print')
      .choices(['debug', 'info', 'warn', 'error'])
      .default('info'),
  )
  .action(async (options) => (await import('./supervisor/run.ts')).run(options));

program
  .command('status')
  .description('show tunnels, traffic and drops; exits with 0 when up, 1 when something is wrong, 2 when not running')
  .addOption(stateOption())
  .addOption(jsonOption())
  .option('--watch', 'again every two seconds, until Ctrl-C')
  .action(async (options) => (await import('./commands/status.ts')).statusCommand(options));

program
  .command('doctor')
  .description('walk the layers from the cable to the company and say in one sentence which is at fault')
  .addOption(stateOption())
  .addOption(jsonOption())
  .action(async (options) => (await import('./commands/doctor.ts')).doctorCommand(options));

program
  .command('logs')
  .description('the newest log lines, as JSON')
  .addOption(stateOption())
  .option('--service <name>', 'only of this service')
  .action(async (options) => (await import('./commands/report.ts')).logsCommand(options));

program
  .command('trace')
  .description("what becomes of each packet from a zone, and by which rule, in the kernel's own words")
  .argument('<zone>', 'as the configuration names it')
  .addOption(stateOption())
  .option('--count <n>', 'stop after this many packets; without it, at Ctrl-C')
  .option('--rate <n>', 'packets looked at in a second, at most', '20')
  .action(async (zone, options) => (await import('./commands/trace.ts')).traceCommand(zone, options));

program
  .command('metrics')
  .description('counters in the text format of Prometheus; there is no web server on the box')
  .addOption(stateOption())
  .option('--out <file>', 'write to a file, whole or not at all, instead of stdout')
  .action(async (options) => (await import('./commands/report.ts')).metricsCommand(options));

program
  .command('support')
  .description('everything that helps who helps, without keys and secrets, as JSON')
  .addOption(stateOption())
  .action(async (options) => (await import('./commands/report.ts')).supportCommand(options));

program
  .command('hardware')
  .description('what this box is made of')
  .addOption(jsonOption())
  .action(async (options) => (await import('./commands/report.ts')).hardwareCommand(options));

program
  .command('mtu')
  .description('show the virtually-large MTU of each tunnel: mode, path, envelopes, clamp')
  .option('--prove', "send DF packets of the LAN's full size to the peers' proofAddresses and back")
  .addOption(stateOption())
  .addOption(jsonOption())
  .action(async (options) => (await import('./commands/mtu.ts')).mtuCommand(options));

program
  .command('check')
  .description('read a configuration as `run` would and name each wrong field; exits with 1 when it is refused')
  .argument('<file>', 'configuration, TOML or JSON')
  .addOption(jsonOption())
  .action(async (file, options) => (await import('./commands/check.ts')).checkCommand(file, options));

program
  .command('keygen')
  .description('make an Ed25519 identity; the private half goes to a file that only its owner can read')
  .requiredOption('--out <file>', 'file for the private key; never overwritten')
  .addOption(jsonOption())
  .action(async (options) => (await import('./commands/keygen.ts')).keygenCommand(options));

program
  .command('enroll')
  .description('join a portal with the token that its administrator gave; `moat run` does the rest')
  .argument('<token>', 'as `portal enroll-code` prints it')
  .addOption(stateOption())
  .option('--key <file>', 'a key that this box has already; it makes one otherwise')
  .addOption(jsonOption())
  .action(async (token, options) => (await import('./commands/enroll.ts')).enrollCommand(token, options));

program
  .command('rekey')
  .description('make new keys now instead of at the end of the lifetime')
  .argument('<what>', 'child or ike')
  .option('--peer <name>', 'only this peer')
  .addOption(stateOption())
  .action(async (what, options) => (await import('./commands/control.ts')).rekeyCommand(what, options));

program
  .command('reload')
  .description('read the configuration again, as SIGHUP does')
  .addOption(stateOption())
  .action(async (options) => (await import('./commands/control.ts')).reloadCommand(options));

try {
  await program.parseAsync();
} catch (error) {
  process.stderr.write(`moat: ${(error as Error).message}\n`);
  process.exitCode = (error as { exitCode?: number }).exitCode ?? 2;
}
