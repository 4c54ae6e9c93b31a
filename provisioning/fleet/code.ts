import { randomBytes } from 'node:crypto';
import type { Database } from '../db/database.ts';
import { addCode, codeFrom, enrolmentToken } from '../facts/enrolment.ts';

export interface MadeCode {
  readonly code: string;
  /** All that the box needs: portal, its key, code. */
  readonly token: string;
  readonly expiresAt: number;
}

/** A fresh one-time code; earlier ones of the device end. @throws {Refusal} when there is no such device. */
export async function makeCode(
  database: Database,
  { device, now, lifetimeSeconds }: { device: string; now: number; lifetimeSeconds: number },
): Promise<MadeCode> {
  const code = codeFrom(randomBytes(20));
  await addCode(database, { device, code, now, lifetimeSeconds });
  const token = await tokenFor(database, device, code);
  return { code, token, expiresAt: now + lifetimeSeconds * 1000 };
}

async function tokenFor({ queries }: Database, device: string, code: string): Promise<string> {
  const portal = await queries
    .selectFrom('devices')
    .innerJoin('sites', 'sites.id', 'devices.siteId')
    .innerJoin('portals', 'portals.id', 'sites.portalId')
    .select(['portals.apiUrls', 'portals.apiKey'])
    .where('devices.name', '=', device)
    .executeTakeFirstOrThrow();
  const [url = ''] = JSON.parse(portal.apiUrls) as string[];
  return enrolmentToken(url, portal.apiKey, code);
}
