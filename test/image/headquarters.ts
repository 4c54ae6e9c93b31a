/** The real provisioning service in the office, with the tunnel end that follows it: what boxes with a token join. */
import { join } from 'node:path';
import { must } from '../lab/processes.ts';
import type { Child } from './child.ts';
import type { Office } from './office.ts';
import { officeAddress } from './street.ts';

const top = join(import.meta.dirname, '../..');
const program = join(top, 'provisioning/bin/portal');

export class Headquarters {
  readonly #office: Office;
  readonly #folder: string;
  #end: Child | null = null;

  private constructor(office: Office) {
    this.#office = office;
    this.#folder = join(office.folder, 'provisioning');
  }

  /** Takes the place of the office's portal that has no database. */
  static async open(office: Office): Promise<Headquarters> {
    const own = new Headquarters(office);
    const folder = own.#folder;
    await office.shut();
    const networks = ['--network', '10.1.0.0/16', '--pool', '10.77.0.0/16/24'];
    await own.#portal('init', '--address', officeAddress, ...networks);
    const service = office.start('provisioning', [program, '--dir', folder, 'run']);
    await service.match(/portalStarted/, 60);
    await own.#portal('policy', 'set', 'default', '--setting', 'lan.interface=work0', 'lan.wild=wild0');
    await own.#portal('customer', 'add', 'acme');
    await own.openTunnel();
    return own;
  }

  async openTunnel(): Promise<void> {
    const folder = this.#folder;
    const tunnel = ['run', '--config', join(folder, 'tunnel.json'), '--watch', '--state', join(folder, 'tunnel')];
    this.#end = this.#office.start('tunnel', [join(top, 'appliance/bin/moat'), ...tunnel]);
    await this.#end.match(/configured/, 60);
  }

  /** No box gets its tunnel any more; the database still answers. */
  async closeTunnel(): Promise<void> {
    await this.#end?.kill('SIGTERM');
  }

  /** Every box is to have it. @param sha256 of what is at the URL, in hexadecimal. */
  async release(name: string, url: string, sha256: string): Promise<void> {
    await this.#portal(
      'release',
      'add',
      name,
      '--url',
      url,
      '--sha256',
      sha256,
      '--state',
      'rolling',
      '--percent',
      '100',
    );
  }

  /** What `portal release progress` says of the boxes that went back. */
  async wentBack(name: string): Promise<readonly { device: string; problem: string }[]> {
    const progress = JSON.parse(await this.#portal('--json', 'release', 'progress', name)) as {
      failed: { device: string; problem: string }[];
    };
    return progress.failed;
  }

  /** For a box that nobody has seen yet. */
  async token(device: string): Promise<string> {
    await this.#portal('device', 'add', device, '--customer', 'acme');
    const { token } = JSON.parse(await this.#portal('--json', 'enroll-code', device, '--no-qr')) as { token: string };
    return token;
  }

  #portal(...words: readonly string[]): Promise<string> {
    return must(this.#office.street.inside('office', [program, '--dir', this.#folder, ...words]));
  }
}
