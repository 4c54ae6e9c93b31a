/** Keeps the compiled configuration of every device, and counts its revision when, and only when, it differs. */
import type { Tx } from '../db/database.ts';
import { chunksOf } from '../facts/records.ts';
import { compileDevice, compilePeer } from './device.ts';
import { type LoadedFacts, loadFacts } from './facts.ts';

/** One device whose configuration, or whose entry at the portal, came out different. */
export interface ConfigurationChange {
  readonly device: string;
  readonly deviceId: number;
  /** JSON texts; before is empty for a new device. */
  readonly before: string;
  readonly after: string;
  readonly revision: number;
}

interface Compiled {
  readonly deviceId: number;
  readonly revision: number;
  readonly fleetRevision: number;
  readonly portalId: number;
  readonly body: string;
  readonly peer: string;
}

export interface Recompilation {
  readonly deviceIds: readonly number[];
  /** Of them: boxes to be woken although nothing is compiled differently, because they are sent to another portal. */
  readonly moved: ReadonlySet<number>;
  readonly fleetRevision: number;
}

/** @throws {Refusal} when a box would refuse what comes out for it. */
export async function recompile(
  tx: Tx,
  { deviceIds, moved, fleetRevision }: Recompilation,
): Promise<ConfigurationChange[]> {
  const changes: ConfigurationChange[] = [];
  const loaded = await loadFacts(tx, deviceIds);
  for (const chunk of chunksOf(loaded)) {
    const rows = await compiledRows(
      tx,
      chunk.map(({ deviceId }) => deviceId),
    );
    const different = chunk.flatMap((one) => compileOne(one, rows.get(one.deviceId), fleetRevision));
    const changed = new Set(different.map(({ row }) => row.deviceId));
    const woken = [...rows.values()].filter(({ deviceId }) => moved.has(deviceId) && !changed.has(deviceId));
    await save(tx, [...different.map(({ row }) => row), ...woken.map((row) => ({ ...row, fleetRevision }))]);
    changes.push(...different.map(({ change }) => change));
  }
  return changes;
}

function compileOne(
  { deviceId, portalId, facts }: LoadedFacts,
  old: Compiled | undefined,
  fleetRevision: number,
): { row: Compiled; change: ConfigurationChange }[] {
  const body = compileDevice(facts);
  const peer = compilePeer(facts);
  if (old && old.body === body && old.peer === peer && old.portalId === portalId) return [];
  const revision = (old?.revision ?? 0) + (old?.body === body ? 0 : 1);
  const row = { deviceId, revision, fleetRevision, portalId, body, peer };
  return [{ row, change: { device: facts.name, deviceId, before: old?.body ?? '', after: body, revision } }];
}

async function compiledRows(tx: Tx, ids: readonly number[]): Promise<Map<number, Compiled>> {
  const rows = await tx.selectFrom('compiled').selectAll().where('deviceId', 'in', ids).execute();
  return new Map(rows.map((row) => [row.deviceId, row]));
}

async function save(tx: Tx, rows: readonly Compiled[]): Promise<void> {
  if (rows.length === 0) return;
  await tx
    .insertInto('compiled')
    .values([...rows])
    .onConflict((conflict) =>
      conflict.column('deviceId').doUpdateSet(({ ref }) => ({
        revision: ref('excluded.revision'),
        fleetRevision: ref('excluded.fleetRevision'),
        portalId: ref('excluded.portalId'),
        body: ref('excluded.body'),
        peer: ref('excluded.peer'),
      })),
    )
    .execute();
}
