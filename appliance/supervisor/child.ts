/** One process of a service: started with no more rights than its row says, heard line by line, spoken to over IPC. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, realpathSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { serviceDirectory } from '../config/slices.ts';
import type { FromService, ToDns, ToTunnel } from '../lib/messages.ts';
import type { ServiceRow } from './services.ts';

export interface ChildEvents {
  message(message: FromService): void;
  /** One line of stdout or stderr. */
  line(line: string): void;
  /** Once, after the last message and line. */
  exited(detail: string): void;
}

interface User {
  readonly uid: number;
  readonly gid: number;
}

const longestLine = 16_384;

/**
 * `isAwaited`: somebody waits for it more than for the memory that compiling costs it.
 * @throws {Error} when the state directory cannot be made; a setpriv that is missing is told by `exited`.
 */
export function startChild(
  row: ServiceRow,
  stateDirectory: string,
  events: ChildEvents,
  isAwaited = false,
): ChildProcess {
  const user = userNamed(row.user);
  const directory = serviceDirectory(stateDirectory, row.name);
  mkdirSync(directory, { recursive: true });
  chmodSync(directory, row.folderMode ?? 0o755);
  if (user) chownSync(directory, user.uid, user.gid);
  const command = commandLine(row, stateDirectory, process.getuid?.() === 0, user);
  const [file = '', ...rest] = isAwaited || !hasTypes(row.script) ? command : compiledFirst(command);
  const child = spawn(file, rest, {
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    serialization: 'advanced',
    env: {
      PATH: process.env.PATH,
      LANG: 'C.UTF-8',
      HOME: directory,
      MOAT_LOG_LEVEL: process.env.MOAT_LOG_LEVEL,
      // Compiled once: the next start, which somebody may be waiting for, takes half the time.
      NODE_COMPILE_CACHE: `${directory}/.compiled`,
    },
    cwd: '/',
    // Ctrl-C in a terminal reaches its whole group; the order of the end is the supervisor's.
    detached: true,
  });
  for (const stream of [child.stdout, child.stderr]) {
    if (stream) createInterface({ input: stream }).on('line', (line) => events.line(line.slice(0, longestLine)));
  }
  child.on('message', (message) => events.message(message as FromService));
  child.on('error', (error) => {
    if (child.pid === undefined) events.exited(`could not be started: ${error.message}`);
  });
  child.on('exit', (code, signal) => events.exited(signal === null ? `exit code ${code}` : `signal ${signal}`));
  return child;
}

/** False when the process is gone or its channel is full to the brim. */
export function tell(child: ChildProcess, message: ToTunnel | ToDns): boolean {
  return child.connected && child.send(message, () => {});
}

/**
 * The parent-death signal makes sure that a killed supervisor leaves nothing running behind its back; the next one could not
 * speak to it. Capabilities are ambient, so that `ip` has those of the tunnel; nothing can be gained by any program.
 */
export function commandLine(row: ServiceRow, state: string, root: boolean, user: User | null): string[] {
  const node = [
    process.execPath,
    `--max-old-space-size=${row.heapMegabytes}`,
    '--disable-warning=ExperimentalWarning',
    row.script,
    ...row.arguments(state),
  ];
  if (!root) return ['setpriv', '--pdeathsig=KILL', '--no-new-privs', ...node];
  const capabilities = ['-all', ...row.capabilities.map((name) => `+${name}`)].join(',');
  const identity = user ? [`--reuid=${user.uid}`, `--regid=${user.gid}`, '--clear-groups'] : [];
  return [
    'setpriv',
    ...identity,
    `--inh-caps=${capabilities}`,
    `--ambient-caps=${capabilities}`,
    `--bounding-set=${capabilities}`,
    '--no-new-privs',
    '--pdeathsig=KILL',
    ...node,
  ];
}

/**
 * A process that has stripped types and compiled keeps 20 MB of compiler for all its life. So the first start of all is two: one without a
 * supervisor, which has nothing to do, leaves what it compiled in the cache and ends; and the one that stays.
 */
const compileOnce = `done=$NODE_COMPILE_CACHE/whole
if [ ! -e "$done" ]; then
  (unset NODE_CHANNEL_FD; exec "$@") </dev/null >/dev/null 2>&1
  : >"$done"
fi
exec "$@"`;

/** On a box it is JavaScript by another name. */
const hasTypes = (script: string) => realpathSync(script).endsWith('.ts');

/** The same command; the rights are taken away before the shell. */
function compiledFirst(command: readonly string[]): string[] {
  const at = command.indexOf(process.execPath);
  return [...command.slice(0, at), 'sh', '-c', compileOnce, 'sh', ...command.slice(at)];
}

const known = new Map<string, User | null>();

/** Asked once for each name: users do not come and go on a box. */
function userNamed(name: string): User | null {
  let user = known.get(name);
  if (user === undefined) {
    const [, , uid, gid] = spawnSync('getent', ['passwd', name], { encoding: 'utf8' }).stdout?.split(':') ?? [];
    user = uid === undefined || gid === undefined ? null : { uid: Number(uid), gid: Number(gid) };
    known.set(name, user);
  }
  return user;
}
