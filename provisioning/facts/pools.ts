/**
 * Address pools. A pool is cut into ranges of one size, counted from 0; a range belongs to one site. Disjoint by
 * construction: pools must not overlap, and the database holds that no slot of a pool is given twice.
 */
import {
  type Family,
  familyOf,
  formatPrefix,
  ipFromNumber,
  ipToNumber,
  type Prefix,
  parsePrefix,
  prefixContains,
} from '../../appliance/lib/ip.ts';
import type { Tx } from '../db/database.ts';
import type { Edit } from './edit.ts';
import type { FactRecord, Row } from './records.ts';
import { refuse } from './refusal.ts';

const bitsOf: Readonly<Record<Family, number>> = { 4: 32, 6: 128 };
/** A counter for people and databases; an IPv6 pool has more room than that. */
const mostSlots = 2n ** 40n;

/** @throws {Refusal} when it overlaps another pool or its ranges do not fit into it. */
export async function addPool(edit: Edit, record: FactRecord): Promise<number> {
  const id = await edit.insert('pool', record);
  const pool = await edit.byId('pool', id);
  const prefix = parsePrefix(String(pool.prefix));
  const most = bitsOf[familyOf(prefix.address)];
  if (Number(pool.siteLength) < prefix.length || Number(pool.siteLength) > most) {
    refuse('siteLength', `expected ${prefix.length} to ${most}: the length of one site's range in ${pool.prefix}`);
  }
  const others = await edit.tx.selectFrom('pools').select(['name', 'prefix']).where('id', '!=', id).execute();
  const other = others.find((one) => overlap(prefix, parsePrefix(one.prefix)));
  if (other) refuse('prefix', `${pool.prefix} overlaps pool '${other.name}' (${other.prefix})`, 'conflict');
  return id;
}

function overlap(a: Prefix, b: Prefix): boolean {
  return prefixContains(a, b.address) || prefixContains(b, a.address);
}

function slotCount(pool: { prefix: string; siteLength: number }): number {
  const count = 1n << BigInt(pool.siteLength - parsePrefix(pool.prefix).length);
  return Number(count < mostSlots ? count : mostSlots);
}

/** The range of a slot: `10.64.0.0/10` in pieces of 24 bits, slot 3, is `10.64.3.0/24`. */
export function rangeOfSlot(pool: { prefix: string; siteLength: number }, slot: number): string {
  const { address } = parsePrefix(pool.prefix);
  const family = familyOf(address);
  const size = 1n << BigInt(bitsOf[family] - pool.siteLength);
  return formatPrefix({
    address: ipFromNumber(ipToNumber(address) + BigInt(slot) * size, family),
    length: pool.siteLength,
  });
}

/** The slot of a range that somebody chose. @throws {Refusal} when it is none of this pool's. */
export function slotOfRange(pool: { name: string; prefix: string; siteLength: number }, range: string): number {
  const inner = parsePrefix(range);
  const outer = parsePrefix(pool.prefix);
  if (inner.length !== pool.siteLength || !prefixContains(outer, inner.address)) {
    refuse('prefix', `${range} is no range of pool '${pool.name}': expected a /${pool.siteLength} in ${pool.prefix}`);
  }
  const size = 1n << BigInt(bitsOf[familyOf(inner.address)] - inner.length);
  return Number((ipToNumber(inner.address) - ipToNumber(outer.address)) / size);
}

interface PoolShape {
  readonly id: number;
  readonly name: string;
  readonly prefix: string;
  readonly siteLength: number;
}

export function poolShape(row: Row): PoolShape {
  return { id: row.id, name: String(row.name), prefix: String(row.prefix), siteLength: Number(row.siteLength) };
}

/** Gives the site a free range of the pool. @throws {Refusal} when the pool is used up. */
export async function assignRange(edit: Edit, pool: PoolShape, site: Row): Promise<void> {
  const slot = await freeSlot(edit.tx, pool);
  if (slot === null)
    refuse('pool', `pool '${pool.name}' is used up: ${slotCount(pool)} ranges are assigned`, 'conflict');
  await putRange(edit, pool, site, slot);
}

export async function putRange(edit: Edit, pool: PoolShape, site: Row, slot: number): Promise<void> {
  const columns = { poolId: pool.id, siteId: site.id, slot, prefix: rangeOfSlot(pool, slot) };
  await edit.insertRow('range', columns);
}

/** Behind the last one, as long as there is room: a range that was freed rests before somebody else gets it. */
async function freeSlot(tx: Tx, pool: PoolShape): Promise<number | null> {
  const { last } = await tx
    .selectFrom('ranges')
    .select(({ fn }) => fn.max('slot').as('last'))
    .where('poolId', '=', pool.id)
    .executeTakeFirstOrThrow();
  const next = last === null ? 0 : last + 1;
  return next < slotCount(pool) ? next : firstGap(tx, pool);
}

async function firstGap(tx: Tx, pool: PoolShape): Promise<number | null> {
  const rows = await tx.selectFrom('ranges').select('slot').where('poolId', '=', pool.id).orderBy('slot').execute();
  const gap = rows.findIndex(({ slot }, index) => slot !== index);
  return gap === -1 ? null : gap;
}
