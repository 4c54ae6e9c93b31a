import { readFileSync } from 'node:fs';
import type { DnsConfig } from '../../config/dns.ts';
import type { FromService, ToService } from '../../lib/messages.ts';
import { probeServer } from './probe.ts';
import { DnsService } from './service.ts';
import { sentenceFor } from './shell/errors.ts';
import { logTo } from './shell/log.ts';

const log = logTo(process.stdout);
let running: { readonly service: DnsService; readonly config: DnsConfig; readonly text: string } | undefined;

/** The old service gives up its sockets first; if the new one cannot start, the old one starts again. */
async function apply(config: DnsConfig): Promise<void> {
  const text = JSON.stringify(config);
  if (text === running?.text) return;
  const before = running;
  before?.service.close();
  const service = new DnsService(config, log);
  try {
    await service.start();
    running = { service, config, text };
  } catch (error) {
    service.close();
    running = undefined;
    if (before) await apply(before.config);
    throw error;
  }
}

function send(message: FromService): void {
  process.send?.(message);
}

async function onMessage(message: ToService): Promise<void> {
  switch (message.kind) {
    case 'configure':
      return configure(message.revision, message.slice as DnsConfig);
    case 'probe':
      return send({ kind: 'probed', id: message.id, ...(await probe()) });
    case 'describe':
      return send({ kind: 'status', id: message.id, status: running?.service.describe() ?? {} });
    case 'stop':
      return stop();
  }
}

/** The slice has been through `parseDnsConfig` on the other side; what can still fail is the machine. */
async function configure(revision: number, slice: DnsConfig): Promise<void> {
  try {
    await apply(slice);
    send({ kind: 'configured', revision });
  } catch (error) {
    send({ kind: 'refused', revision, problem: `dns: ${sentenceFor(error)}` });
  }
}

async function probe(): Promise<{ ok: boolean; detail: string }> {
  if (!running) return { ok: false, detail: 'not configured yet' };
  const endpoint = running.service.listening[0];
  if (!endpoint) return { ok: false, detail: 'no address to listen on is there yet' };
  return probeServer(endpoint, running.config.domain);
}

function stop(): void {
  running?.service.close();
  process.exit(0);
}

async function standalone(path: string): Promise<void> {
  const { dnsConfig } = await import('../../config/dns.ts');
  await apply(dnsConfig.parse(JSON.parse(readFileSync(path, 'utf8'))));
  log('listening', { endpoints: running?.service.listening });
}

const configAt = process.argv.indexOf('--config');
const path = configAt < 0 ? undefined : process.argv[configAt + 1];
process.on('SIGTERM', stop);
process.on('SIGINT', stop);
if (path !== undefined) await standalone(path);
else {
  let last = Promise.resolve();
  // One at a time: a configuration is applied whole before the next message counts.
  process.on('message', (message: ToService) => {
    last = last.then(() => onMessage(message));
  });
  process.on('disconnect', stop);
  send({ kind: 'started' });
}
