/** The servers' own settings: certificates, limits on connections, ports. */
import { readFileSync } from 'node:fs';
import type { Server as HttpsServer, ServerOptions } from 'node:https';
import type { AddressInfo, Server } from 'node:net';
import { join } from 'node:path';
import { Refusal } from '../facts/refusal.ts';
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

const listenProblems: Readonly<Record<string, readonly [field: string, message: string]>> = {
  EADDRINUSE: ['port', 'is used by another program'],
  EACCES: ['port', 'may not be opened by this user: one below 1024 needs CAP_NET_BIND_SERVICE'],
  EADDRNOTAVAIL: ['listen', 'is no address of this machine'],
  ENOTFOUND: ['listen', 'is no address'],
};

/** @throws {Refusal} naming the field of `portal.toml` that stands in the way; `section` is the one it is in. */
export function listen(server: Server, section: string, given: { listen: string; port: number }): Promise<void> {
  const { listen: host, port } = given;
  return new Promise((resolve, reject) => {
    const failed = (error: NodeJS.ErrnoException) => {
      const [field, message] = listenProblems[error.code ?? ''] ?? ['', error.message];
      const value = field === 'port' ? `${port} ` : field === 'listen' ? `'${host}' ` : '';
      const problem = { field: field === '' ? section : `${section}.${field}`, message: `${value}${message}` };
      reject(new Refusal([problem], 'conflict'));
    };
    server.once('error', failed);
    server.listen({ port, host, backlog: 1024 }, () => {
      server.off('error', failed);
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
