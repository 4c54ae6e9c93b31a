import { createInterface } from 'node:readline';
import { Secret } from '../../appliance/lib/secret.ts';
import type { DataplaneEvent } from '../index.ts';
import { openDataplane } from '../index.ts';

/*
 * A data plane in a process of its own, so that a test can start it in another network namespace. Each line on standard input is
 * `{ id, call, arguments }` with the name of a method of `Dataplane` (or `open`, or `spendOnEvents`); each answer is `{ id, result }` or
 * `{ id, error }`, and each event `{ event }`. Keys and datagrams travel as hexadecimal: `{ "hex": "00ff" }`.
 */
type Request = { readonly id: number; readonly call: string; readonly arguments: readonly unknown[] };
type Method = (...values: readonly unknown[]) => unknown;

/** As if the receiver of events had so much to do for each. */
let spentOnEventMs = 0;
let plane: Readonly<Record<string, Method>> | undefined;

function revive(key: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || !('hex' in value)) return value;
  const octets = new Uint8Array(Buffer.from(String(value.hex), 'hex'));
  return key === 'key' ? new Secret(octets) : octets;
}

function print(message: object): void {
  const text = JSON.stringify(message, (_key, value: unknown) =>
    value instanceof Uint8Array ? { hex: Buffer.from(value).toString('hex') } : value,
  );
  process.stdout.write(`${text}\n`);
}

function perform(request: Request): unknown {
  if (request.call === 'open') {
    const onEvent = (event: DataplaneEvent): void => {
      for (const until = performance.now() + spentOnEventMs; performance.now() < until; );
      print({ event });
    };
    const options = request.arguments[0] as Parameters<typeof openDataplane>[0];
    plane = openDataplane(options, onEvent) as unknown as Record<string, Method>;
    return null;
  }
  if (request.call === 'spendOnEvents') {
    spentOnEventMs = Number(request.arguments[0]);
    return null;
  }
  return plane?.[request.call]?.(...request.arguments) ?? null;
}

createInterface({ input: process.stdin })
  .on('line', async (line) => {
    const request = JSON.parse(line, revive) as Request;
    try {
      print({ id: request.id, result: await perform(request) });
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      print({ id: request.id, error: { code, message } });
    }
  })
  .on('close', () => plane?.close?.());
