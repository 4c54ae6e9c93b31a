/** `moat run`: the supervisor in the foreground, until it is told to stop. */
import { resolve } from 'node:path';
import { pino } from 'pino';
import { Appliance } from './appliance.ts';
import { serveControl } from './control.ts';
import { LogSink } from './log-sink.ts';
import { notifySystemd } from './notify.ts';

export interface RunOptions {
  readonly config: string;
  readonly state: string;
  readonly logLevel: string;
}

/** Runs until SIGTERM or SIGINT. @throws {Error} when the control socket cannot be served. */
export async function run(options: RunOptions): Promise<void> {
  const sink = new LogSink();
  const log = pino({ level: options.logLevel, base: null, timestamp: pino.stdTimeFunctions.isoTime }, sink);
  process.env.MOAT_LOG_LEVEL = options.logLevel;
  const stateDirectory = resolve(options.state);
  const appliance = new Appliance({ configFile: resolve(options.config), stateDirectory, log, sink });
  const control = await serveControl(stateDirectory, (request) => appliance.answer(request));
  const stopped = new Promise((resolve) => {
    process.once('SIGTERM', resolve);
    process.once('SIGINT', resolve);
  });
  process.on('SIGHUP', () => void appliance.load());
  const started = appliance.start();
  const stopping = notifySystemd(process.env);
  await stopped;
  log.info('stopping');
  stopping();
  await appliance.stop();
  await started;
  control.close();
  log.info('stopped');
  await sink.drain(1000);
  // A standard output that is stuck must not keep us from ending.
  process.exit(0);
}
