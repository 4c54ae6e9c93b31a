import { playSteps, wantedSteps } from '../ring.ts';
import { root } from '../roots.ts';
import { lanPeers } from './recipe.ts';
import { stepsIn } from './steps.ts';
import { World } from './world.ts';

/** Our DNS beside BIND, NSD and Knot. */
const steps = stepsIn(() => world);
const wanted = wantedSteps('dns', steps);
const world = await World.create(await root(lanPeers), 'dns');
try {
  await playSteps('dns', steps, wanted);
} finally {
  await world.destroy();
}
