import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { LabError, requireMachine } from './requirements.ts';
import { clearWorld, isRunning, listStates, type WorldState } from './state.ts';
import { loadStories, play } from './story.ts';

const hostNames = ['pc', 'moat', 'home-router', 'internet', 'portal', 'corp'];

/** Plays the named stories, or all. Sets exit code 1 at the first that fails. */
export async function check(names: readonly string[]): Promise<void> {
  await requireMachine();
  const all = await loadStories();
  // `mtu` also means `mtu-loss` and its like.
  const named = (name: string) => all.filter((story) => story.name === name || story.name.startsWith(`${name}-`));
  const unknown = names.find((name) => named(name).length === 0);
  if (unknown !== undefined)
    throw new LabError(`there is no story '${unknown}': ${all.map(({ name }) => name).join(', ')}`);
  const chosen = names.length === 0 ? all : names.flatMap(named);
  const began = performance.now();
  for (const story of chosen) {
    if (await play(story, console.log)) continue;
    process.exitCode = 1;
    return;
  }
  console.log(`${chosen.length} stories passed in ${((performance.now() - began) / 1000).toFixed(0)} s`);
}

/** Runs a command in a host of a running world, with this terminal, and exits as it does. */
export async function execute(host: string, command: readonly string[], id?: string): Promise<void> {
  const { namespaces } = chooseWorld(id);
  const namespace = namespaces[host];
  if (namespace === undefined) {
    throw new LabError(`the running world has no host '${host}': ${Object.keys(namespaces).join(', ')}`);
  }
  const child = spawn('ip', ['netns', 'exec', namespace, ...command], { stdio: 'inherit' });
  const [code] = (await once(child, 'exit')) as [number | null];
  process.exitCode = code ?? 128;
}

function chooseWorld(id: string | undefined): WorldState {
  const running = listStates()
    .filter(isRunning)
    .sort((a, b) => a.startedAt.localeCompare(b.startedAt));
  const found = id === undefined ? running.at(-1) : running.find((state) => state.id === id);
  if (found) return found;
  const names = running.map((state) => state.id).join(', ');
  throw new LabError(
    id === undefined
      ? "no world is running: start one with 'npm run lab'."
      : `no world '${id}': ${names || 'none runs'}`,
  );
}

export async function down(): Promise<void> {
  const states = listStates();
  for (const state of states) {
    // Its owner takes the world down itself when asked; what remains is ours.
    if (isRunning(state) && state.owner.pid !== process.pid) process.kill(state.owner.pid, 'SIGTERM');
    await clearWorld(state);
  }
  console.log(states.length === 0 ? 'nothing was left' : `removed ${states.map(({ id }) => id).join(', ')}`);
}

export async function list(json: boolean): Promise<void> {
  const stories = (await loadStories()).map(({ name, summary }) => ({ name, summary }));
  const worlds = listStates().map((state) => ({ id: state.id, running: isRunning(state), startedAt: state.startedAt }));
  if (json) {
    console.log(JSON.stringify({ hosts: hostNames, stories, worlds }, null, 2));
    return;
  }
  console.log(`hosts:   ${hostNames.join(' - ')}`);
  for (const { name, summary } of stories) console.log(`story:   ${name.padEnd(10)} ${summary}`);
  for (const { id, running, startedAt } of worlds)
    console.log(`world:   ${id} ${running ? 'running' : 'dead'} since ${startedAt}`);
}
