/** The desk of an operator inside the company: the page's own calls, with what `first-operator.txt` says and nothing else. */
import { fromBase32, totpCode, totpStep } from '../../provisioning/operator-api/passwords.ts';
import { must } from '../lab/processes.ts';
import type { Street } from './street.ts';

export class Desk {
  readonly #street: Street;
  readonly #page: string;
  #headers: readonly string[] = [];

  private constructor(street: Street, page: string) {
    this.#street = street;
    this.#page = page;
  }

  /** @param told the text of first-operator.txt. @throws {Error} when it does not open the page. */
  static async sitDown(street: Street, told: string): Promise<Desk> {
    const word = (name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(told)?.[1] ?? '';
    const desk = new Desk(street, word('page'));
    const totp = totpCode(fromBase32(word('authenticator secret')), totpStep(Date.now()));
    const body = { name: word('name'), password: word('password'), totp };
    const said = await desk.#curl('POST', '/api/login', body, ['-i']);
    const cookie = /^set-cookie: ([^;]+);/im.exec(said)?.[1];
    if (cookie === undefined) throw new Error(`nobody is let in: ${said}`);
    desk.#headers = ['-H', `cookie: ${cookie}`];
    const { csrf } = (await desk.call('GET', '/api/me')) as { csrf: string };
    desk.#headers = [...desk.#headers, '-H', `moat-csrf: ${csrf}`];
    return desk;
  }

  async call(method: 'GET' | 'POST', path: string, body?: object): Promise<unknown> {
    return JSON.parse(await this.#curl(method, path, body));
  }

  /** The page itself, as a browser gets it. */
  page(): Promise<string> {
    return this.#curl('GET', '/');
  }

  #curl(method: string, path: string, body?: object, more: readonly string[] = []): Promise<string> {
    // The certificate is the portal's own; its fingerprint is in the file, and compared by people.
    const words = ['curl', '-sSk', '--max-time', '60', '-X', method, ...this.#headers, ...more];
    const sent = body === undefined ? [] : ['--data', JSON.stringify(body)];
    return must(this.#street.inside('sofa', [...words, ...sent, `${this.#page}${path}`]), { timeout: 90_000 });
  }
}
