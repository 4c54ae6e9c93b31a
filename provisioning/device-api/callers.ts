/** Who a call is from. Everything that is wrong with a stranger's call gets the same answer. */
import type { Queries } from '../db/database.ts';

export interface Caller {
  readonly deviceId: number;
  readonly device: string;
  readonly channel: string;
  readonly keyState: 'factory' | 'active' | 'next';
  readonly state: 'expected' | 'enrolled' | 'revoked';
  /** JSON of where it is sent to, or `null`. */
  readonly movedTo: string;
}

/** The device of a key that may be believed; undefined for every other key. */
export async function callerOf(queries: Queries, publicKey: string): Promise<Caller | undefined> {
  const row = await queries
    .selectFrom('keys')
    .innerJoin('devices', 'devices.id', 'keys.deviceId')
    .select(['devices.id as deviceId', 'devices.name as device', 'devices.channel', 'devices.movedTo'])
    .select(['keys.state as keyState', 'devices.state', 'keys.archivedAt', 'devices.archivedAt as deviceArchivedAt'])
    .where('keys.publicKey', '=', publicKey)
    .executeTakeFirst();
  if (!row || row.keyState === 'retired') return undefined;
  const { archivedAt, deviceArchivedAt, ...caller } = row;
  const gone = deviceArchivedAt !== null;
  // Its enrolment was undone: the box is a stranger again.
  if (archivedAt !== null && !gone) return undefined;
  // To the box it makes no difference whether it was revoked or its home is gone.
  return { ...caller, ...(gone ? { state: 'revoked' } : {}) } as Caller;
}
