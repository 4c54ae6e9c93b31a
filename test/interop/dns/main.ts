import { root } from '../roots.ts';
import { lanPeers } from './recipe.ts';
import { steps } from './steps.ts';
import { World } from './world.ts';

/** Plays every step (or those named), prints one line each with what was measured; exit code 1 at the first failure. */
const chosen = process.argv.slice(2);
const world = await World.create(await root(lanPeers), 'dns');
try {
  const began = performance.now();
  for (const { name, play } of steps) {
    if (chosen.length > 0 && !chosen.includes(name)) continue;
    const startedAt = performance.now();
    const measured = await play(world);
    console.log(
      `ok    ${name.padEnd(24)} ${((performance.now() - startedAt) / 1000).toFixed(1).padStart(5)} s  ${measured}`,
    );
  }
  console.log(`all passed in ${((performance.now() - began) / 1000).toFixed(0)} s`);
} catch (error) {
  console.error(`FAIL  ${error instanceof Error ? error.stack : String(error)}`);
  process.exitCode = 1;
} finally {
  await world.destroy();
}
