import { World } from './world.ts';

/** Takes every world of this process down before it ends, whatever ends it, and only once. */
export function cleanUpOnSignals(): void {
  let ending = false;
  const signals = { SIGINT: 2, SIGTERM: 15, SIGHUP: 1, SIGQUIT: 3 } as const;
  for (const [name, number] of Object.entries(signals)) {
    process.on(name, () => {
      if (ending) return;
      ending = true;
      World.allDown().finally(() => process.exit(128 + number));
    });
  }
  // A terminal or pipe that is gone must not end the process before it has cleaned up.
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', () => process.kill(process.pid, 'SIGHUP'));
  }
}
