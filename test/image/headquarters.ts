/** The real provisioning service in the office, with the tunnel end that follows it: what boxes with a token join. */
import { join } from 'node:path';
import { must } from '../lab/processes.ts';
import type { Office } from './office.ts';
import { officeAddress } from './street.ts';

const top = join(import.meta.dirname, '../..');
const program = join(top, 'provisioning/bin/portal');

export class Headquarters {
  readonly #office: Office;
  readonly #folder: string;

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
    const tunnel = ['run', '--config', join(folder, 'tunnel.json'), '--watch', '--state', join(folder, 'tunnel')];
    const end = office.start('tunnel', [join(top, 'appliance/bin/moat'), ...tunnel]);
    await own.#portal('policy', 'set', 'default', '--setting', 'lan.interface=work0', 'lan.wild=wild0');
    await own.#portal('customer', 'add', 'acme');
    await end.match(/configured/, 60);
    return own;
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
