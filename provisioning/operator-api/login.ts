/** The routes that need no session: how an operator comes by one, and how it ends. */
import { randomBytes } from 'node:crypto';
import type { Request, Response } from 'express';
import type { Logger } from 'pino';
import { z } from 'zod';
import type { Database } from '../db/database.ts';
import { Buckets, payerOf } from '../device-api/limits.ts';
import { Challenges } from '../device-api/signature.ts';
import { noteEvents } from '../facts/events.ts';
import { endSession, login } from './operators.ts';
import { type Asking, assertionSchema, loginByPasskey } from './passkeys.ts';
import { type RelyingParty, requestOptions } from './webauthn.ts';

export interface OpenAsked {
  readonly database: Database;
  readonly log: Logger;
  readonly desk: LoginDesk;
  /** Milliseconds since 1970. */
  readonly now: number;
  readonly body: Readonly<Record<string, unknown>>;
  readonly request: Request;
  readonly response: Response;
}

export interface OpenRoute {
  readonly method: 'POST';
  readonly path: string;
  readonly body: z.ZodType<Record<string, unknown>>;
  /** What it returns is sent as JSON; undefined: it has answered by itself. */
  answer(asked: OpenAsked): Promise<unknown>;
}

const challengeMs = 300_000;

/** How often somebody may try, and the challenges of passkeys: each is good once. */
export class LoginDesk {
  readonly #byAddress = new Buckets({ burst: 20, perSecond: 0.2 });
  readonly #byName = new Buckets({ burst: 8, perSecond: 0.05 });
  readonly #challenges = new Challenges(randomBytes(32), challengeMs);
  /** Until when each that was used would have been good. It takes a signature that holds to get in here. */
  readonly #spent = new Map<string, number>();

  mayTry(payer: string, name: string, now: number): boolean {
    return this.#byAddress.take(payer, now) && this.#byName.take(name, now);
  }

  challenge(now: number): string {
    return this.#challenges.issue(now, randomBytes(16));
  }

  /** What a passkey's answer is checked against. */
  asking(party: RelyingParty, now: number): Asking {
    return {
      party,
      now,
      isGood: (challenge) => this.#challenges.isOurs(challenge, now) && !this.#spent.has(challenge),
      spend: (challenge) => this.#spend(challenge, now),
    };
  }

  #spend(challenge: string, now: number): boolean {
    if (this.#spent.has(challenge)) return false;
    for (const [old, until] of this.#spent) if (until < now) this.#spent.delete(old);
    this.#spent.set(challenge, now + challengeMs);
    return true;
  }
}

const cookieName = '__Host-moat';
const cookieScope = 'Path=/; Secure; HttpOnly; SameSite=Strict';

export const openRoutes: readonly OpenRoute[] = [
  {
    method: 'POST',
    path: '/login',
    body: z.strictObject({ name: z.string().max(100), password: z.string().max(200), totp: z.string().max(20) }),
    answer: byPassword,
  },
  {
    method: 'POST',
    path: '/login/challenge',
    body: z.strictObject({}),
    answer: ({ desk, now, request }) => requestOptions(partyOf(request), desk.challenge(now)),
  },
  { method: 'POST', path: '/login/passkey', body: assertionSchema, answer: byPasskey },
  { method: 'POST', path: '/logout', body: z.strictObject({}), answer: logout },
];

/** Who a passkey is made for: the page's own name, which the guard in front of every route has checked. */
export function partyOf(request: Request): RelyingParty {
  const host = request.headers.host ?? '';
  return { rpId: host.replace(/:\d+$/, ''), origin: `https://${host}` };
}

/** Of the cookie; empty when there is none. */
export function tokenOf(request: Request): string {
  const cookies = (request.headers.cookie ?? '').split(/;\s*/);
  const own = cookies.find((cookie) => cookie.startsWith(`${cookieName}=`));
  return own?.slice(cookieName.length + 1) ?? '';
}

async function byPassword(asked: OpenAsked): Promise<object | undefined> {
  const { database, body, now, request } = asked;
  const given = { name: String(body.name), password: String(body.password), totp: String(body.totp) };
  if (!asked.desk.mayTry(payerOf(request.socket.remoteAddress ?? ''), given.name, now)) return slowDown(asked);
  const token = await login(database, given, now);
  // The name is what somebody typed: perhaps the password, in the wrong field.
  return welcome(asked, token === null ? null : { token, name: given.name });
}

async function byPasskey(asked: OpenAsked): Promise<object | undefined> {
  const { database, desk, now, request } = asked;
  const given = asked.body as z.output<typeof assertionSchema>;
  if (!desk.mayTry(payerOf(request.socket.remoteAddress ?? ''), given.id, now)) return slowDown(asked);
  return welcome(asked, await loginByPasskey(database, desk.asking(partyOf(request), now), given));
}

function slowDown({ response }: OpenAsked): undefined {
  response.status(429).set('retry-after', '20').json({ error: 'slowDown' });
}

/** `session`: null for whoever is not let in. */
async function welcome(
  { database, log, now, request, response }: OpenAsked,
  session: { readonly token: string; readonly name: string } | null,
): Promise<object | undefined> {
  const from = payerOf(request.socket.remoteAddress ?? '');
  const detail = session === null ? `from ${from}` : `${session.name} from ${from}`;
  await noteEvents(database, [{ at: now, kind: session === null ? 'loginRefused' : 'login', device: '', detail }]);
  log.info({ from, ok: session !== null }, 'login');
  if (session === null) return void response.status(401).json({ error: 'refused' });
  response.set('set-cookie', `${cookieName}=${session.token}; ${cookieScope}`);
  return {};
}

async function logout({ database, request, response }: OpenAsked): Promise<object> {
  await endSession(database, tokenOf(request));
  response.set('set-cookie', `${cookieName}=; ${cookieScope}; Max-Age=0`);
  return {};
}
