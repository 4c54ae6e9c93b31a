/** The host's network as the configuration wants it: addresses, settings and firewall, applied whole and idempotently. */
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Config } from '../config/schema.ts';
import { addressCommands, networkdFiles, sysctlsFor } from './addresses.ts';
import { firewallText, tableName } from './firewall.ts';
import { type Link, type Placement, placeZones } from './interfaces.ts';
import { readLinks, readRouters } from './links.ts';
import { applyFirewall, firewallPresent } from './nft.ts';
import { overlapProblems } from './overlap.ts';

const run = promisify(execFile);
const networkdFolder = '/run/systemd/network';
const networkdFile = /^05-moat-.*\.network$/;

export interface HostView {
  readonly links: readonly Link[];
  readonly routers: readonly string[];
  readonly placement: Placement;
  /** Sentences: an interface that is missing, networks that overlap. */
  readonly problems: readonly string[];
}

export class HostNetwork {
  #rules = '';
  #view: HostView | null = null;

  get view(): HostView | null {
    return this.#view;
  }

  /** What was seen last of everything but the tunnel: equal texts are equal networks. */
  outside({ tunnel }: Config): string {
    const links = this.#view?.links.filter(({ name }) => name !== tunnel.interface) ?? [];
    const routers = this.#view?.routers.filter((router) => !router.endsWith(` ${tunnel.interface}`)) ?? [];
    return JSON.stringify([links, routers]);
  }

  /** Reads what is there and changes nothing. @throws {Error} with a sentence. */
  async look(config: Config): Promise<HostView> {
    const [links, routers] = await Promise.all([readLinks(), readRouters()]);
    const placement = placeZones(config.zones, links);
    const problems = [...placement.problems, ...overlapProblems(config, placement, links)];
    this.#view = { links, routers, placement, problems };
    return this.#view;
  }

  /** The firewall first: what it forbids is never possible for an instant. @throws {Error} with a sentence. */
  async apply(config: Config): Promise<void> {
    const { links, placement } = await this.look(config);
    if (config.zones.length > 0) {
      const rules = firewallText(config, placement.devices);
      if (rules !== this.#rules || !(await firewallPresent(tableName))) {
        await applyFirewall(rules);
        this.#rules = rules;
      }
      writeSysctls(sysctlsFor(config.zones, placement));
      await ipBatch(addressCommands(config.zones, placement, links));
      await applyNetworkd(networkdFiles(config.zones, placement));
    }
  }
}

/** An interface that is not there has no settings; it gets them when it comes. */
function writeSysctls(settings: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(settings)) {
    const path = `/proc/sys/net/${name}`;
    if (existsSync(path) && readFileSync(path, 'utf8').trim() !== value) writeFileSync(path, value);
  }
}

async function ipBatch(lines: readonly string[]): Promise<void> {
  if (lines.length === 0) return;
  const batch = run('ip', ['-batch', '-']);
  batch.child.stdin?.end(`${lines.join('\n')}\n`);
  try {
    await batch;
  } catch (error) {
    const [first = ''] = String((error as { stderr?: string }).stderr ?? error).split('\n');
    throw new Error(`the addresses could not be set: ${first}`);
  }
}

async function applyNetworkd(files: Readonly<Record<string, string>>): Promise<void> {
  const present = existsSync(networkdFolder)
    ? readdirSync(networkdFolder).filter((name) => networkdFile.test(name))
    : [];
  const stale = present.filter((name) => !(name in files));
  const changed = Object.entries(files).filter(
    ([name, text]) => !present.includes(name) || readFileSync(join(networkdFolder, name), 'utf8') !== text,
  );
  if (stale.length === 0 && changed.length === 0) return;
  mkdirSync(networkdFolder, { recursive: true });
  for (const name of stale) rmSync(join(networkdFolder, name));
  for (const [name, text] of changed) writeFileSync(join(networkdFolder, name), text, { mode: 0o644 });
  try {
    await run('networkctl', ['reload'], { timeout: 10_000 });
  } catch {
    throw new Error('the wild side gets no address: systemd-networkd, which asks for it, does not run');
  }
}
