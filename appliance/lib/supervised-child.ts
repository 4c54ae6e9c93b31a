/** A service that logs and reports all the time; for `supervised.test.ts`. */
import { serveSupervisor, tellSupervisor } from './supervised.ts';

const chatter = setInterval(() => {
  process.stdout.write('a line of a service\n');
  tellSupervisor({ kind: 'configured', revision: 1 });
}, 1);

async function stop(): Promise<never> {
  // Long enough to say much to nobody.
  await new Promise((resolve) => setTimeout(resolve, 200));
  clearInterval(chatter);
  process.exit(0);
}

serveSupervisor({ receive: () => stop(), stop });
