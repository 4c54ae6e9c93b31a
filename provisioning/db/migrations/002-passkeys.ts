/** Operators' passkeys. */
import { sql } from 'kysely';
import type { Tx } from '../database.ts';

/** `id` is the credential's own, base64url; `rp_id` the host name that it was made for. */
const table = `create table passkeys (id text primary key, operator_id bigint not null references operators (id)
  on delete cascade, rp_id text not null, name text not null, public_key text not null, sign_count bigint not null,
  created_at bigint not null, used_at bigint)`;

export async function passkeyTable(tx: Tx): Promise<void> {
  await sql.raw(table).execute(tx);
  await sql.raw('create index passkeys_operator on passkeys (operator_id)').execute(tx);
}
