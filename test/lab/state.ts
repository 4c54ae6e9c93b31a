import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { endProcesses, identify, isAlive, type ProcessId, run } from './processes.ts';

/** What a world has put into the machine, so that any process can find and remove it. */
export interface WorldState {
  readonly id: string;
  readonly owner: ProcessId;
  readonly startedAt: string;
  /** Host name to network namespace. */
  readonly namespaces: Readonly<Record<string, string>>;
  readonly processes: readonly ProcessId[];
  /** Logs and captures; stays when the world goes. */
  readonly runDirectory: string;
  /** Goes with the world. */
  readonly temporary: string;
}

const stateDirectory = '/run/moat-lab';
const idPattern = /^[a-z0-9]{1,12}$/;

const stateFile = (id: string) => join(stateDirectory, `${id}.json`);

export function saveState(state: WorldState): void {
  mkdirSync(stateDirectory, { recursive: true });
  const fresh = `${stateFile(state.id)}.new`;
  writeFileSync(fresh, JSON.stringify(state, null, 2));
  renameSync(fresh, stateFile(state.id));
}

/** All worlds that were not taken down, living or dead. Files that cannot be read are no worlds. */
export function listStates(): WorldState[] {
  if (!existsSync(stateDirectory)) return [];
  const names = readdirSync(stateDirectory).filter((name) => name.endsWith('.json'));
  return names.flatMap((name) => {
    try {
      const state = JSON.parse(readFileSync(join(stateDirectory, name), 'utf8')) as WorldState;
      return idPattern.test(state.id) ? [state] : [];
    } catch {
      return [];
    }
  });
}

export function isRunning(state: WorldState): boolean {
  return isAlive(state.owner);
}

/** Removes everything that a world put into the machine, whatever state it is in; twice is as good as once. */
export async function clearWorld(state: WorldState): Promise<void> {
  await endProcesses([...state.processes].reverse());
  const namespaces = Object.values(state.namespaces).filter((name) => existsSync(`/run/netns/${name}`));
  // What the recorded processes started in turn: whoever lives in a namespace of ours is ours.
  const inside = await Promise.all(namespaces.map((name) => run(['ip', 'netns', 'pids', name])));
  const pids = inside.flatMap(({ stdout }) => stdout.split(/\s+/).filter(Boolean).map(Number));
  await endProcesses(pids.flatMap((pid) => identify(pid) ?? []));
  const commands = namespaces.map((name) => `netns del ${name}`).join('\n');
  if (commands) await run(['ip', '-force', '-batch', '-'], { input: `${commands}\n` });
  for (const name of Object.values(state.namespaces)) rmSync(`/etc/netns/${name}`, { recursive: true, force: true });
  rmSync(state.temporary, { recursive: true, force: true });
  rmSync(stateFile(state.id), { force: true });
}

/** Clears the remains of worlds whose process died. Returns their ids. */
export async function clearDeadWorlds(): Promise<string[]> {
  const dead = listStates().filter((state) => !isRunning(state));
  for (const state of dead) await clearWorld(state);
  return dead.map((state) => state.id);
}
