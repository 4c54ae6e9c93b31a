import { readFileSync } from 'node:fs';
import type { NtpConfig } from '../../config/ntp.ts';
import type { ToService } from '../../lib/messages.ts';
import { serveSupervisor, tellSupervisor } from '../../lib/supervised.ts';
import { type Log, NtpService } from './service.ts';

const log: Log = (event, fields = {}) => {
  process.stdout.write(`${JSON.stringify({ time: new Date().toISOString(), event, ...fields })}\n`);
};
let running: { readonly service: NtpService; readonly text: string } | undefined;

async function apply(config: NtpConfig): Promise<void> {
  const text = JSON.stringify(config);
  if (text === running?.text) return;
  await running?.service.stop();
  const service = new NtpService(config, log);
  running = { service, text };
  await service.start();
}

async function onMessage(message: ToService): Promise<void> {
  switch (message.kind) {
    case 'configure':
      return configure(message.revision, message.slice as NtpConfig);
    case 'probe': {
      const probed = await running?.service.probe();
      return tellSupervisor({
        kind: 'probed',
        id: message.id,
        ...(probed ?? { ok: false, detail: 'not configured yet' }),
      });
    }
    case 'describe':
      return tellSupervisor({ kind: 'status', id: message.id, status: await running?.service.status() });
    case 'stop':
      return stop();
  }
}

/** The slice has been through `ntpConfig.parse` on the other side. */
async function configure(revision: number, slice: NtpConfig): Promise<void> {
  try {
    await apply(slice);
    tellSupervisor({ kind: 'configured', revision });
  } catch (error) {
    tellSupervisor({
      kind: 'refused',
      revision,
      problem: `ntp: ${error instanceof Error ? error.message : String(error)}`,
    });
  }
}

async function stop(): Promise<void> {
  await running?.service.stop();
  process.exit(0);
}

const configAt = process.argv.indexOf('--config');
const path = configAt < 0 ? undefined : process.argv[configAt + 1];
process.on('SIGTERM', stop);
process.on('SIGINT', stop);
if (path !== undefined) {
  const { ntpConfig } = await import('../../config/ntp.ts');
  await apply(ntpConfig.parse(JSON.parse(readFileSync(path, 'utf8'))));
} else serveSupervisor<ToService>({ receive: onMessage, stop });
