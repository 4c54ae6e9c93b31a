import { fileURLToPath } from 'node:url';
import type { World } from '../../lab/world.ts';

const script = (name: string) => fileURLToPath(new URL(name, import.meta.url));

/** Starts what is fetched, in corp. */
export async function serve(world: World): Promise<void> {
  await world.corp.start('line-server', [process.execPath, script('server.ts')]).line(/^ready$/);
}

export interface Fetches {
  /** Milliseconds of each that succeeded, in the order they ended. */
  readonly ms: readonly number[];
  readonly failed: number;
}

/** Fetches a path of corp from pc `count` times, `atOnce` at a time, each on a connection of its own. */
export async function fetches(world: World, path: string, count: number, atOnce = 1): Promise<Fetches> {
  const url = `http://${world.addresses.corp.v4}:8080${path}`;
  const command = [process.execPath, script('fetcher.ts'), url, `${count}`, `${atOnce}`];
  return JSON.parse(await world.pc.must(command, { timeout: 900_000 })) as Fetches;
}
