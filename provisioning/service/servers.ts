/** The servers' own settings: certificates, limits on connections, ports. */
import { readFileSync } from 'node:fs';
import type { Server as HttpsServer, ServerOptions } from 'node:https';
import type { AddressInfo, Server } from 'node:net';
import { join } from 'node:path';
import { keyFiles } from '../keys/files.ts';
import { inFolder, type PortalSettings } from '../settings/settings.ts';

export function deviceTls({ folder }: PortalSettings): ServerOptions {
  const read = (file: string) => readFileSync(join(folder, file));
  return { key: read(keyFiles.apiKey), cert: read(keyFiles.apiCertificate), minVersion: 'TLSv1.3' };
}

export function operatorTls(settings: PortalSettings): ServerOptions {
  const { certificateFile, keyFile } = settings.operatorApi;
  return {
    key: readFileSync(inFolder(settings, keyFile ?? keyFiles.operatorKey)),
    cert: readFileSync(inFolder(settings, certificateFile ?? keyFiles.operatorCertificate)),
    minVersion: 'TLSv1.2',
  };
}

/** Slow or silent callers give their place back; a held question is an answered request, which these do not count. */
export function limitConnections(server: HttpsServer): void {
  server.headersTimeout = 10_000;
  server.requestTimeout = 20_000;
  server.keepAliveTimeout = 90_000;
  server.maxConnections = 25_000;
  server.maxHeadersCount = 40;
}

export function listen(server: Server, { listen: host, port }: { listen: string; port: number }): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ port, host, backlog: 1024 }, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

export function portOf(server: Server): number {
  return (server.address() as AddressInfo | null)?.port ?? 0;
}

export function count(server: Server): Promise<number> {
  return new Promise((resolve) => server.getConnections((_, connections) => resolve(connections ?? 0)));
}
