/** `moat run`: the supervisor in the foreground, until it is told to stop. */
import { readFileSync, watch } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { type Logger, pino } from 'pino';
import { Appliance } from './appliance.ts';
import { serveControl } from './control.ts';
import { LogSink } from './log-sink.ts';
import { notifySystemd } from './notify.ts';
import { PortalClient } from './portal.ts';
import { PortalFiles } from './portal-files.ts';

export interface RunOptions {
  readonly config: string;
  readonly state: string;
  readonly logLevel: string;
  readonly watch?: boolean;
}

/** A file is written in several steps; the last one counts. */
const watchQuietMs = 30;

/** Runs until SIGTERM or SIGINT. @throws {Error} when the control socket cannot be served. */
export async function run(options: RunOptions): Promise<void> {
  const sink = new LogSink();
  const log = pino({ level: options.logLevel, base: null, timestamp: pino.stdTimeFunctions.isoTime }, sink);
  process.env.MOAT_LOG_LEVEL = options.logLevel;
  const stateDirectory = resolve(options.state);
  const files = new PortalFiles(stateDirectory);
  const given = resolve(options.config);
  const appliance = new Appliance({
    // A box that belongs to a portal runs what came from there.
    configFile: () => (files.configText() === null ? given : files.configFile),
    stateDirectory,
    enrolling: () => portal.enrolling(),
    log,
    sink,
  });
  const portal = new PortalClient({
    files,
    managed: appliance,
    log,
    factoryKeyFile: join(dirname(given), 'identity.key'),
  });
  const control = await serveControl(stateDirectory, (request) => appliance.answer(request));
  const stopped = new Promise((resolve) => {
    process.once('SIGTERM', resolve);
    process.once('SIGINT', resolve);
  });
  process.on('SIGHUP', () => void appliance.load());
  if (options.watch) watchFile(given, () => void appliance.load());
  takeToken(files, join(dirname(given), 'enrolment.token'), log);
  const started = appliance.start();
  void started.then(() => portal.start());
  const stopping = notifySystemd(process.env);
  await stopped;
  log.info('stopping');
  stopping();
  await portal.close();
  await appliance.stop();
  await started;
  control.close();
  log.info('stopped');
  await sink.drain(1000);
  // A standard output that is stuck must not keep us from ending.
  process.exit(0);
}

/** By its folder: who replaces a file whole puts another one in its place. */
function watchFile(path: string, changed: () => void): void {
  let timer: NodeJS.Timeout | undefined;
  const watcher = watch(dirname(path), (_, name) => {
    if (name !== null && name !== basename(path)) return;
    clearTimeout(timer);
    timer = setTimeout(changed, watchQuietMs);
  });
  process.once('SIGTERM', () => watcher.close());
}

/** First-boot enrolment: a file beside the configuration, which the boot partition brought. */
function takeToken(files: PortalFiles, path: string, log: Logger): void {
  try {
    if (files.take(readFileSync(path, 'utf8'))) log.info({ path }, 'enrolmentTokenTaken');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT')
      log.error({ problem: (error as Error).message }, 'enrolmentTokenRefused');
  }
}
