/** Every route of the operator API, as one table: the fuzzer reads it too. */
import type { Response } from 'express';
import type { Logger } from 'pino';
import type { z } from 'zod';
import type { Database } from '../db/database.ts';
import type { PortalSettings } from '../settings/settings.ts';
import { accountRoutes } from './account.ts';
import { changeRoutes } from './changes.ts';
import { type Downloads, imageRoutes } from './images.ts';
import type { Live } from './live.ts';
import type { LoginDesk } from './login.ts';
import type { Role, Session } from './operators.ts';
import { operatorRoutes } from './people.ts';
import { viewRoutes } from './views.ts';
import type { RelyingParty } from './webauthn.ts';

export interface Asked {
  readonly database: Database;
  readonly settings: PortalSettings;
  readonly live: Live;
  readonly log: Logger;
  readonly session: Session;
  readonly desk: LoginDesk;
  readonly downloads: Downloads;
  /** The page as passkeys know it. */
  readonly party: RelyingParty;
  /** Milliseconds since 1970. */
  readonly now: number;
  readonly params: Readonly<Record<string, string>>;
  readonly query: Readonly<Record<string, unknown>>;
  readonly body: Readonly<Record<string, unknown>>;
  readonly response: Response;
}

interface AnyRoute {
  readonly path: string;
  /** The least that the operator must be. */
  readonly role: Role;
  readonly query?: z.ZodType<Record<string, unknown>>;
  /** What it returns is sent as JSON; undefined: it has answered by itself. */
  answer(asked: Asked): Promise<unknown>;
}

interface ReadingRoute extends AnyRoute {
  readonly method: 'GET';
}

interface ChangingRoute extends AnyRoute {
  readonly method: 'POST' | 'PATCH' | 'DELETE';
  readonly body: z.ZodType<Record<string, unknown>>;
  /** The largest body, when 64 kB are not enough for it. */
  readonly bodyLimit?: string;
}

export type Route = ReadingRoute | ChangingRoute;

export const routes: readonly Route[] = [
  ...viewRoutes,
  ...changeRoutes,
  ...operatorRoutes,
  ...accountRoutes,
  ...imageRoutes,
];
