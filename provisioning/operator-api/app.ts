/** The operators' page and its API: inside only, and still guarded as if it were not. */
import { join } from 'node:path';
import express, { type NextFunction, type Request, type Response } from 'express';
import type { Logger } from 'pino';
import { z } from 'zod';
import type { Database } from '../db/database.ts';
import { parseOrRefuse, Refusal } from '../facts/refusal.ts';
import type { PortalSettings } from '../settings/settings.ts';
import { Downloads } from './images.ts';
import type { Live } from './live.ts';
import { LoginDesk, type OpenRoute, openRoutes, partyOf, tokenOf } from './login.ts';
import { roles, type Session, sessionOf } from './operators.ts';
import { type Route, routes } from './routes.ts';

export interface OperatorApiParts {
  readonly database: Database;
  readonly settings: PortalSettings;
  readonly live: Live;
  readonly log: Logger;
  now(): number;
}

const webFolder = join(import.meta.dirname, '../web');
const policy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "manifest-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
].join('; ');

export function operatorApp(parts: OperatorApiParts): express.Express {
  const app = express();
  app.disable('x-powered-by');
  app.set('query parser', 'simple');
  app.use((request, response, next) => guard(parts.settings, request, response, next));
  app.use(express.static(webFolder, { index: 'index.html', extensions: [], dotfiles: 'deny', redirect: false }));
  const desk = new LoginDesk();
  const downloads = new Downloads();
  for (const route of openRoutes) addOpenRoute(app, parts, desk, route);
  for (const route of routes) addRoute(app, { ...parts, desk, downloads }, route);
  app.use((_request: Request, response: Response) => void response.status(404).json({ error: 'notFound' }));
  app.use((error: unknown, _request: Request, response: Response, _next: NextFunction) =>
    answerError(error, response, parts.log),
  );
  return app;
}

/** Host: DNS rebinding. Origin and Sec-Fetch-Site: other sites' pages. */
function guard({ operatorApi }: PortalSettings, request: Request, response: Response, next: NextFunction): void {
  response.set({
    'content-security-policy': policy,
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'no-referrer',
    'cross-origin-opener-policy': 'same-origin',
    'cross-origin-resource-policy': 'same-origin',
    'cache-control': 'no-store',
    'strict-transport-security': 'max-age=31536000',
  });
  const port = request.socket.localPort;
  const own = ['localhost', '127.0.0.1', '[::1]'].map((name) => `${name}:${port}`);
  const host = request.headers.host ?? '';
  const site = request.get('sec-fetch-site');
  const origin = request.get('origin');
  if (![...own, ...operatorApi.hosts].includes(host)) response.status(421).json({ error: 'unknownHost' });
  else if (origin !== undefined && origin !== `https://${host}`) response.status(403).json({ error: 'foreignOrigin' });
  else if (site !== undefined && site !== 'same-origin' && site !== 'none') {
    response.status(403).json({ error: 'foreignOrigin' });
  } else next();
}

function addOpenRoute(app: express.Express, parts: OperatorApiParts, desk: LoginDesk, route: OpenRoute): void {
  app[handlers[route.method]](`/api${route.path}`, jsonBody('16kb'), async (request: Request, response: Response) => {
    const { database, log } = parts;
    const body = parseOrRefuse(route.body, request.body ?? {});
    const answered = await route.answer({ database, log, desk, now: parts.now(), body, request, response });
    if (answered !== undefined) response.json(answered);
  });
}

function jsonBody(limit: string) {
  return express.json({ limit, strict: true, type: () => true });
}

/** Of a route that asks for none: a browser or a proxy may have added something of its own. */
const anyQuery = z.record(z.string(), z.unknown());
const handlers = { GET: 'get', POST: 'post', PATCH: 'patch', DELETE: 'delete' } as const;

interface Behind extends OperatorApiParts {
  readonly desk: LoginDesk;
  readonly downloads: Downloads;
}

function addRoute(app: express.Express, parts: Behind, route: Route): void {
  // Who it is comes before what it says: a stranger's body is not even read.
  const known = async (request: Request, response: Response, next: NextFunction) => {
    const session = await sessionOf(parts.database.queries, tokenOf(request), parts.now());
    const denied = denial(route, session, request.get('moat-csrf') ?? '');
    if (denied || !session) {
      // What is still under way would be taken for the next request.
      response.set('connection', 'close');
      response.status(denied === 'loginFirst' ? 401 : 403).json({ error: denied });
      return;
    }
    response.locals.session = session;
    next();
  };
  const answer = async (request: Request, response: Response) => {
    const now = parts.now();
    const session = response.locals.session as Session;
    const query = parseOrRefuse(route.query ?? anyQuery, { ...request.query });
    const body = route.method === 'GET' ? {} : parseOrRefuse(route.body, request.body ?? {});
    const params = request.params as Record<string, string>;
    const party = partyOf(request);
    const asked = { ...parts, party, session, now, params, query, body, response };
    const answered = await route.answer(asked);
    if (answered !== undefined) response.json(answered);
  };
  app[handlers[route.method]](
    `/api${route.path}`,
    known,
    jsonBody(route.method === 'GET' ? '4kb' : (route.bodyLimit ?? '64kb')),
    answer,
  );
}

function denial(route: Route, session: Session | null, csrf: string): string | null {
  if (!session) return 'loginFirst';
  if (roles.indexOf(session.role) < roles.indexOf(route.role)) return 'notAllowed';
  return route.method !== 'GET' && csrf !== session.csrf ? 'wrongToken' : null;
}

const refusalStatus = { invalid: 400, missing: 404, conflict: 409 } as const;

function answerError(error: unknown, response: Response, log: Logger): void {
  const { status } = error as { status?: number };
  if (response.headersSent) response.destroy();
  else if (error instanceof Refusal) {
    response.status(refusalStatus[error.reason]).json({ error: 'invalid', problems: error.problems });
  } else if (status !== undefined && status < 500) {
    const message = status === 413 ? 'is too large' : 'expected a JSON body, and a path without stray percent signs';
    response.status(status).json({ error: 'invalid', problems: [{ field: '', message }] });
  } else {
    log.error({ err: error }, 'operatorApiFailed');
    response.status(500).json({ error: 'internal' });
  }
}
