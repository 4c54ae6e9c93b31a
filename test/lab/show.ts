import { formatMs } from './measures.ts';
import { sleep } from './processes.ts';
import { World, type WorldOptions } from './world.ts';

/** The tour: what is being set up, and a live line until Ctrl-C. */
export async function show(options: WorldOptions): Promise<void> {
  const began = performance.now();
  console.log('Building a world: pc - moat - internet - portal - corp, each a network namespace of its own.');
  const world = await World.up({ ...options, plainPath: true, name: 'show' });
  console.log(`World ${world.id} is up after ${formatMs(performance.now() - began)}. Logs: ${world.runDirectory}`);
  console.log('In another terminal: npm run lab -- exec pc ping corp    Ctrl-C here removes everything.');
  const page = await world.pc.page('http://corp/');
  console.log(`pc reads http://corp/: ${page.trim()}`);
  while (true) {
    const { median } = await world.pc.ping(world.addresses.corp.v4, { count: 5 });
    console.log(`pc to corp: ${formatMs(median)}`);
    await sleep(1000);
  }
}
