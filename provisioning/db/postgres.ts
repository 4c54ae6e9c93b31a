import { PostgresDialect } from 'kysely';
import pg from 'pg';

const int8 = 20;
const types = {
  // Times and counts stay far below 2^53; text for them would make the two databases differ.
  getTypeParser: ((oid: number, format?: 'text') =>
    oid === int8 ? Number : pg.types.getTypeParser(oid, format)) as typeof pg.types.getTypeParser,
};

export function postgresDialect(address: string): PostgresDialect {
  const pool = new pg.Pool({ ...connectionOf(address), types, max: 8 });
  // An idle connection that the server closes (a restart) is replaced by the next query; unheard it would end us.
  pool.on('error', () => {});
  return new PostgresDialect({ pool });
}

/** The socket folder of a local server may stand as `?host=/run/postgresql`. */
export function connectionOf(address: string): pg.ClientConfig {
  return { connectionString: address, application_name: 'moat portal', connectionTimeoutMillis: 10_000 };
}
