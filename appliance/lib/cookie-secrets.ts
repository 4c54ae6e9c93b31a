import type { Secret } from './secret.ts';

/** From which cookies are made (RFC 7296 2.6); whoever has them can say whether one is right. */
export interface CookieSecrets {
  /** Of `current`, 0 to 255; `previous` has the one before it. */
  readonly version: number;
  readonly current: Secret;
  readonly previous: Secret | null;
}
