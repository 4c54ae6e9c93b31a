/** The bundle for who helps: status, diagnosis, configuration, machine and log, and no secret. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { DnsConfig } from '../config/dns.ts';
import type { Config } from '../config/schema.ts';
import type { Diagnosis } from './doctor/facts.ts';
import { readInventory } from './inventory.ts';
import type { ApplianceStatus } from './status.ts';

const run = promisify(execFile);

export interface SupportParts {
  readonly status: ApplianceStatus;
  readonly diagnosis: Diagnosis;
  /** As it came over the control socket: its secrets say `[secret]`. */
  readonly config: Config | null;
  readonly log: readonly string[];
}

export async function supportText(parts: SupportParts): Promise<string> {
  const [inventory, addresses, routes, rules] = await Promise.all([
    readInventory(),
    said('ip', 'address', 'show'),
    said('ip', 'route', 'show', 'table', 'all'),
    said('nft', 'list', 'ruleset'),
  ]);
  const log = parts.log.map((line) => line.trimEnd());
  const config = parts.config && withoutSecrets(parts.config);
  return JSON.stringify({ ...parts, config, log, inventory, addresses, routes, rules }, null, 2);
}

/** TSIG keys are text, not a `Secret`. */
function withoutSecrets(config: Config): unknown {
  const zones = config.zones.map((zone) => ({ ...zone, dns: zone.dns && withoutKeys(zone.dns) }));
  return { ...config, zones, dns: config.dns && withoutKeys(config.dns) };
}

function withoutKeys(dns: DnsConfig): unknown {
  return { ...dns, keys: dns.keys.map(({ name }) => ({ name, secret: '[secret]' })) };
}

async function said(file: string, ...parameters: string[]): Promise<string[]> {
  const { stdout } = await run(file, parameters, { timeout: 5000, maxBuffer: 4e6 }).catch((error: Error) => ({
    stdout: error.message,
  }));
  return stdout.split('\n').slice(0, 2000);
}
