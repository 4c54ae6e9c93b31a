/** The control socket: one line of JSON asks, one line of JSON answers. For root on the same host only. */
import { chmodSync, mkdirSync, rmSync } from 'node:fs';
import { createConnection, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { ApplianceStatus } from './status.ts';

export type ControlRequest =
  | { readonly kind: 'status' }
  | { readonly kind: 'rekey'; readonly what: 'child' | 'ike'; readonly peer: string | null }
  /** The newest lines of the log; answered in `text`. */
  | { readonly kind: 'logs' }
  /** What `moat doctor` has to know; a `Patient` as JSON in `text`. */
  | { readonly kind: 'patient' }
  /** Read the configuration file again. */
  | { readonly kind: 'reload' };

export type ControlAnswer =
  | { readonly ok: true; readonly status: ApplianceStatus; readonly text?: string }
  | { readonly ok: false; readonly problem: string };

/** Nobody answers on the control socket: moat does not run, or not with this state directory. */
export class NotRunningError extends Error {
  override readonly name = 'NotRunningError';
}

const longestRequest = 4096;
/** Milliseconds. A reload waits for services to take their parts. */
const answerTimeoutMs = { status: 5000, logs: 5000, rekey: 5000, patient: 5000, reload: 60_000 } as const;

function socketPath(stateDirectory: string): string {
  return join(stateDirectory, 'control.sock');
}

/** @throws {Error} when another moat answers on the socket. */
export async function serveControl(
  stateDirectory: string,
  answer: (request: ControlRequest) => Promise<ControlAnswer>,
): Promise<Server> {
  mkdirSync(stateDirectory, { recursive: true, mode: 0o711 });
  const path = socketPath(stateDirectory);
  if (await isAnswered(path)) throw new Error(`moat is already running with the state directory ${stateDirectory}`);
  rmSync(path, { force: true });
  const server = createServer((socket) => {
    socket.on('error', () => socket.destroy());
    let received = 0;
    socket.on('data', (chunk) => {
      received += chunk.length;
      if (received > longestRequest) socket.destroy();
    });
    const lines = createInterface({ input: socket });
    // It says again what goes wrong with the socket: whoever asked and hung up before the answer must not end the supervisor.
    lines.on('error', () => socket.destroy());
    lines.once('line', (line) => {
      void answerLine(line, answer).then((result) => socket.end(`${JSON.stringify(result)}\n`));
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, resolve);
  });
  chmodSync(path, 0o600);
  return server;
}

async function answerLine(
  line: string,
  answer: (request: ControlRequest) => Promise<ControlAnswer>,
): Promise<ControlAnswer> {
  try {
    return await answer(JSON.parse(line) as ControlRequest);
  } catch (error) {
    return { ok: false, problem: (error as Error).message };
  }
}

/** @throws {NotRunningError} */
export function askControl(stateDirectory: string, request: ControlRequest): Promise<ControlAnswer> {
  return new Promise((resolve, reject) => {
    const socket = createConnection(socketPath(stateDirectory));
    const notRunning = (why: string) =>
      reject(new NotRunningError(`moat is not running with the state directory ${stateDirectory} (${why})`));
    const timeoutMs = answerTimeoutMs[request.kind];
    socket.setTimeout(timeoutMs, () => {
      socket.destroy();
      notRunning(`no answer within ${timeoutMs / 1000} s`);
    });
    socket.once('error', (error: NodeJS.ErrnoException) => notRunning(error.code ?? error.message));
    socket.once('connect', () => socket.write(`${JSON.stringify(request)}\n`));
    const chunks: Buffer[] = [];
    socket.on('data', (chunk) => chunks.push(chunk));
    socket.once('end', () => {
      const text = Buffer.concat(chunks).toString();
      if (text === '') notRunning('the connection was closed');
      else resolve(JSON.parse(text) as ControlAnswer);
    });
  });
}

async function isAnswered(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection(path);
    socket.once('error', () => resolve(false));
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
  });
}
