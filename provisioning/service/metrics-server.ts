/** The door for whoever watches the portal: `/metrics` for Prometheus, `/health` for a yes or no. */
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { Database } from '../db/database.ts';
import { proveDatabase } from './health.ts';
import { type Counters, metricsText } from './metrics.ts';

interface World {
  /** Milliseconds since 1970. */
  now(): number;
  /** Hears of figures that could not be had. */
  failed(error: unknown): void;
}

/** Not listening yet. `seen`: what the running portal counts. */
export function metricsServer(database: Database, seen: () => Promise<Counters>, { now, failed }: World): Server {
  const pages: Readonly<Record<string, (response: ServerResponse) => Promise<unknown>>> = {
    '/health': async (response) => {
      const sick = await proveDatabase(database).catch((error: Error) => error);
      return response.writeHead(sick ? 500 : 200).end(sick ? `database: ${sick.message}\n` : 'ok\n');
    },
    '/metrics': async (response) => {
      const text = await metricsText(database.queries, now(), await seen()).catch(failed);
      return response.writeHead(text ? 200 : 500, { 'content-type': 'text/plain; version=0.0.4' }).end(text ?? '');
    },
  };
  return createServer((request, response) => {
    const page = pages[request.url ?? ''];
    if (page) void page(response);
    else response.writeHead(404).end();
  });
}
