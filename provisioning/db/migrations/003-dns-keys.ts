/** Company zones may need a key for their transfers, and may be catalogs. */
import { sql } from 'kysely';
import type { Tx } from '../database.ts';

export async function dnsKeyColumns(tx: Tx): Promise<void> {
  await sql.raw(`alter table dns_zones add column tsig_key text not null default ''`).execute(tx);
  await sql.raw(`alter table dns_zones add column catalog_within text not null default 'null'`).execute(tx);
}
