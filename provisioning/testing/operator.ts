/** An operator's browser without the browser: cookie, token, and headers of one's own choice. */
import { request } from 'node:https';
import { addOperator, type Role } from '../operator-api/operators.ts';
import { fromBase32, totpCode, totpStep } from '../operator-api/passwords.ts';
import type { TestPortal } from './portal.ts';

export interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every shape.
  readonly json: any;
}

export function send(
  port: number,
  method: string,
  path: string,
  { body, headers = {} }: { body?: unknown; headers?: Record<string, string> } = {},
): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const options = { host: '127.0.0.1', port, method, path, rejectUnauthorized: false, agent: false as const };
    const text = body === undefined ? '' : typeof body === 'string' ? body : JSON.stringify(body);
    // Node frames no body of a DELETE by itself.
    const framing = { host: `127.0.0.1:${port}`, 'content-length': String(Buffer.byteLength(text)) };
    const out = request({ ...options, headers: { ...framing, ...headers } }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString('utf8');
        const isJson = response.headers['content-type']?.startsWith('application/json');
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          text,
          json: isJson ? JSON.parse(text) : null,
        });
      });
    });
    out.on('error', reject);
    out.end(text);
  });
}

export interface TestOperator {
  readonly headers: Record<string, string>;
  call(method: string, path: string, body?: unknown): Promise<Reply>;
}

export function codeNow(totpSecret: string, now: number): string {
  return totpCode(fromBase32(totpSecret), totpStep(now));
}

export async function loggedIn(portal: TestPortal, name: string, role: Role): Promise<TestOperator> {
  const { password, totpSecret } = await addOperator(portal.database, { name, role }, Date.now());
  const body = { name, password, totp: codeNow(totpSecret, Date.now()) };
  const login = await send(portal.operatorPort, 'POST', '/api/login', { body });
  const [cookie = ''] = (login.headers['set-cookie'] as string[] | undefined)?.[0]?.split(';') ?? [];
  const me = await send(portal.operatorPort, 'GET', '/api/me', { headers: { cookie } });
  const headers = { cookie, 'moat-csrf': me.json.csrf as string };
  return {
    headers,
    call: (method, path, body) =>
      send(portal.operatorPort, method, `/api${path}`, { headers, ...(body === undefined ? {} : { body }) }),
  };
}
