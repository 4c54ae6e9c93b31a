/** The tunnel as a process of its own, under the supervisor. */
import { parseArgs } from 'node:util';
import { pino } from 'pino';
import { loadedFromSlice, type TunnelSlice } from '../config/slices.ts';
import type { ToTunnel } from '../lib/messages.ts';
import { serveSupervisor, tellSupervisor } from '../lib/supervised.ts';
import { TunnelService } from './service.ts';

const log = pino({
  level: process.env.MOAT_LOG_LEVEL ?? 'info',
  base: { service: 'tunnel' },
  timestamp: pino.stdTimeFunctions.isoTime,
});
const { values } = parseArgs({ options: { state: { type: 'string', default: '/var/lib/moat/tunnel' } } });
let service: TunnelService | null = null;

async function configure(revision: number, slice: TunnelSlice): Promise<void> {
  try {
    const loaded = loadedFromSlice(slice);
    if (service) await service.reconfigure(loaded);
    else {
      service = new TunnelService(loaded, { log, tell: tellSupervisor, stateDirectory: values.state });
      service.start();
    }
    tellSupervisor({ kind: 'configured', revision });
  } catch (error) {
    tellSupervisor({ kind: 'refused', revision, problem: (error as Error).message });
  }
}

async function stop(): Promise<never> {
  await service?.stop();
  process.exit(0);
}

async function receive(message: ToTunnel): Promise<void> {
  switch (message.kind) {
    case 'configure':
      return configure(message.revision, message.slice as TunnelSlice);
    case 'probe':
      tellSupervisor({
        kind: 'probed',
        id: message.id,
        ...(service?.probe() ?? { ok: false, detail: 'not configured' }),
      });
      return;
    case 'describe':
      tellSupervisor({ kind: 'status', id: message.id, status: service?.status() ?? null });
      return;
    case 'rekey':
      service?.rekey(message.what, message.peer);
      return;
    case 'networkChanged':
      await service?.networkChanged();
      return;
    case 'stop':
      return stop();
  }
}

process.on('SIGTERM', () => void stop());
serveSupervisor<ToTunnel>({ receive, stop });
