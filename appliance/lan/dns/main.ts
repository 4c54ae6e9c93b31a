import { readFileSync } from 'node:fs';
import type { DnsConfig } from '../../config/dns.ts';
import type { AssignedResolver, ToDns } from '../../lib/messages.ts';
import { serveSupervisor, tellSupervisor } from '../../lib/supervised.ts';
import { probeServer } from './probe.ts';
import { DnsService } from './service.ts';
import { sentenceFor } from './shell/errors.ts';
import { logTo } from './shell/log.ts';

const log = logTo(process.stdout);
/** One service for each view: each employer's zone asks its own, at its own address, and no cache or name is shared. */
interface Running {
  readonly services: readonly DnsService[];
  readonly views: readonly DnsConfig[];
  readonly text: string;
}

let running: Running | undefined;
let assigned: readonly AssignedResolver[] = [];

/** The old services give up their sockets first; if the new ones cannot start, the old ones start again. */
async function apply(views: readonly DnsConfig[]): Promise<void> {
  const text = JSON.stringify(views);
  if (text === running?.text) return;
  const before = running;
  for (const service of before?.services ?? []) service.close();
  const services = views.map((config) => new DnsService(config, log));
  try {
    for (const service of services) await service.start();
    // The house's own view: an employer that has a view of its own is asked there by the configuration.
    services[0]?.assign(assigned);
    running = { services, views, text };
  } catch (error) {
    for (const service of services) service.close();
    running = undefined;
    if (before) await apply(before.views);
    throw error;
  }
}

async function onMessage(message: ToDns): Promise<void> {
  switch (message.kind) {
    case 'configure':
      return configure(message.revision, [message.slice as DnsConfig | readonly DnsConfig[]].flat());
    case 'probe':
      return tellSupervisor({ kind: 'probed', id: message.id, ...(await probe()) });
    case 'describe':
      return tellSupervisor({ kind: 'status', id: message.id, status: describe() });
    case 'resolvers':
      assigned = message.resolvers;
      running?.services[0]?.assign(assigned);
      return;
    case 'stop':
      return stop();
  }
}

/** The slice has been through `parseDnsConfig` on the other side; what can still fail is the machine. */
async function configure(revision: number, views: readonly DnsConfig[]): Promise<void> {
  try {
    await apply(views);
    tellSupervisor({ kind: 'configured', revision });
  } catch (error) {
    tellSupervisor({ kind: 'refused', revision, problem: `dns: ${sentenceFor(error)}` });
  }
}

/** The first view as it is; the others beside it. */
function describe(): Record<string, unknown> {
  const [first, ...others] = running?.services.map((service) => service.describe()) ?? [];
  return others.length === 0 ? (first ?? {}) : { ...first, views: others };
}

/** Every view has to answer. */
async function probe(): Promise<{ ok: boolean; detail: string }> {
  if (!running) return { ok: false, detail: 'not configured yet' };
  const proofs = await Promise.all(
    running.services.map((service, index) => probeView(service, running?.views[index]?.domain ?? '')),
  );
  return proofs.find(({ ok }) => !ok) ?? proofs[0] ?? { ok: false, detail: 'not configured yet' };
}

async function probeView(service: DnsService, domain: string): Promise<{ ok: boolean; detail: string }> {
  const [endpoint] = service.listening;
  if (!endpoint) return { ok: false, detail: 'no address to listen on is there yet' };
  return probeServer(endpoint, domain);
}

function stop(): void {
  for (const service of running?.services ?? []) service.close();
  process.exit(0);
}

async function standalone(path: string): Promise<void> {
  const { dnsConfig } = await import('../../config/dns.ts');
  await apply([dnsConfig.parse(JSON.parse(readFileSync(path, 'utf8')))]);
  log('listening', { endpoints: running?.services[0]?.listening });
}

const configAt = process.argv.indexOf('--config');
const path = configAt < 0 ? undefined : process.argv[configAt + 1];
process.on('SIGTERM', stop);
process.on('SIGINT', stop);
if (path !== undefined) await standalone(path);
else serveSupervisor<ToDns>({ receive: onMessage, stop });
