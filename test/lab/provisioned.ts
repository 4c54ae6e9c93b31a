/** A portal with its database in a lab host: what an administrator types, and nothing else. */
import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Host } from './host.ts';
import { Moat } from './moat.ts';
import type { Running } from './running.ts';

const portalProgram = fileURLToPath(new URL('../../provisioning/bin/portal', import.meta.url));

export class LabPortal {
  readonly host: Host;
  readonly folder: string;
  #service: Running | null = null;
  #tunnel: Moat | null = null;

  private constructor(host: Host, folder: string) {
    this.host = host;
    this.folder = folder;
  }

  /** From an empty directory; `words` are those of `portal init`. */
  static async init(host: Host, words: readonly string[]): Promise<LabPortal> {
    const portal = new LabPortal(host, mkdtempSync(join(host.home.temporary, `portal-${host.name}-`)));
    await portal.command('init', ...words);
    return portal;
  }

  /** The provisioning service, and the tunnel end that follows it. */
  async start(): Promise<void> {
    await this.startService();
    const config = ['--config', join(this.folder, 'tunnel.json'), '--watch'];
    this.#tunnel = await Moat.startIn(this.host, join(this.folder, 'tunnel'), config);
  }

  async startService(): Promise<void> {
    this.#service = this.host.start('portal', [portalProgram, '--dir', this.folder, 'run']);
    await this.#service.line(/portalStarted/);
  }

  get tunnel(): Moat {
    if (!this.#tunnel) throw new Error('the portal was not started');
    return this.#tunnel;
  }

  get service(): Running {
    if (!this.#service) throw new Error('the portal was not started');
    return this.#service;
  }

  /** `portal --dir D WORD...`. @throws {Error} unless it exits with 0. */
  command(...words: readonly string[]): Promise<string> {
    return this.host.must([portalProgram, '--dir', this.folder, ...words]);
  }

  async json<T>(...words: readonly string[]): Promise<T> {
    return JSON.parse(await this.command('--json', ...words)) as T;
  }

  async token(device: string): Promise<string> {
    return (await this.json<{ token: string }>('enroll-code', device, '--no-qr')).token;
  }

  /** Address ranges of a device's site, IPv4 first. */
  async configOf(
    device: string,
  ): Promise<{ readonly revision: number; readonly tunnel: { readonly networks: string[] } }> {
    return JSON.parse(await this.command('show', device, '--config'));
  }
}
