/** The device API (device-api.md tells its protocol). It faces the internet: strangers learn nothing here. */
import { randomBytes } from 'node:crypto';
import express, { type NextFunction, type Request, type Response } from 'express';
import type { Logger } from 'pino';
import type { Database } from '../db/database.ts';
import { Refusal } from '../facts/refusal.ts';
import { type Caller, callerOf } from './callers.ts';
import { Buckets, payerOf } from './limits.ts';
import type { Reports } from './reports.ts';
import { type Authorized, deviceRoutes } from './routes.ts';
import { Challenges, signatureHolds } from './signature.ts';
import type { Waiting } from './waiting.ts';
import type { WakeDesk } from './wake-socket.ts';

export interface DeviceApiParts {
  readonly database: Database;
  readonly reports: Reports;
  readonly waiting: Waiting;
  /** Null where no wake-up datagrams are sent. */
  readonly wakeDesk: WakeDesk | null;
  readonly log: Logger;
  /** Milliseconds since 1970. */
  now(): number;
}

const bodyLimit = '64kb';
const longestHeader = 200;

export function deviceApp(parts: DeviceApiParts): express.Express {
  const challenges = new Challenges(randomBytes(32));
  // Strangers pay; a box that proves itself does not, because thousands may stand behind one address.
  const strangers = new Buckets({ burst: 200, perSecond: 10 });
  const boxes = new Buckets({ burst: 60, perSecond: 5 });
  const app = express();
  app.disable('x-powered-by');
  app.set('etag', false);
  app.set('query parser', 'simple');

  const refuse = (request: Request, response: Response, status = 401) => {
    const now = parts.now();
    const paid = strangers.take(payerOf(request.socket.remoteAddress ?? ''), now);
    if (paid) response.set('moat-challenge', challenges.issue(now, randomBytes(16)));
    else response.set('retry-after', '10');
    response.status(paid ? status : 429).json({ error: paid ? 'refused' : 'slowDown' });
  };

  app.use((request, response, next) => {
    const payer = payerOf(request.socket.remoteAddress ?? '');
    // Before the body is read: a flood from one address costs no signature check, and stops no box behind it.
    if (strangers.has(payer, parts.now()) || challenges.knows(request.get('moat-key') ?? '')) next();
    else refuse(request, response);
  });
  app.use(express.raw({ type: () => true, limit: bodyLimit, inflate: false }));
  app.use('/device/1', async (request: Request, response: Response) => {
    const proven = provenKey(request, challenges, parts.now());
    if (!proven) return refuse(request, response);
    const route = deviceRoutes[`${request.method} ${request.path}`];
    const caller = await callerOf(parts.database.queries, proven.publicKey);
    if (!route || (!caller && !route.forStrangers)) return refuse(request, response);
    if (caller && !challenges.advance(proven.publicKey, proven.challenge, proven.counter))
      return refuse(request, response);
    if (caller && !boxes.take(proven.publicKey, parts.now())) {
      response.set('retry-after', '1').status(429).json({ error: 'slowDown' });
      return;
    }
    const authorized: Authorized = { ...parts, publicKey: proven.publicKey, caller: caller as Caller };
    const answered = await route.answer(authorized, request, response);
    if (answered === 'refused') refuse(request, response);
  });
  app.use((request: Request, response: Response) => refuse(request, response));
  app.use((error: unknown, request: Request, response: Response, _next: NextFunction) => {
    answerError(error, response, parts.log, () => refuse(request, response));
  });
  return app;
}

interface Proven {
  readonly publicKey: string;
  readonly challenge: string;
  readonly counter: number;
}

function provenKey(request: Request, challenges: Challenges, now: number): Proven | null {
  const [publicKey, challenge, counterText, signature] = ['key', 'challenge', 'counter', 'signature'].map(
    (name) => request.get(`moat-${name}`)?.slice(0, longestHeader) ?? '',
  ) as [string, string, string, string];
  if (!/^\d{1,15}$/.test(counterText) || !challenges.isOurs(challenge, now)) return null;
  const counter = Number(counterText);
  const body = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
  const call = { method: request.method, path: request.originalUrl, body, challenge, counter };
  return signatureHolds(publicKey, call, signature) ? { publicKey, challenge, counter } : null;
}

function answerError(error: unknown, response: Response, log: Logger, refuse: () => void): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  if (error instanceof Refusal) {
    response.status(error.reason === 'conflict' ? 409 : 400).json({ error: 'invalid', problems: error.problems });
    return;
  }
  const { status, type } = error as { status?: number; type?: string };
  if (status === 413) response.status(413).json({ error: 'tooLarge' });
  // Whatever the parser of a stranger's request did not like.
  else if (status !== undefined && status < 500) refuse();
  else {
    log.error({ err: error, type }, 'deviceApiFailed');
    response.status(500).json({ error: 'internal' });
  }
}
