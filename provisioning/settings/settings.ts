/** `portal.toml`: where this portal machine keeps things and listens. Facts about the fleet are in the database. */
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parse as parseToml, TomlError } from 'smol-toml';
import { z } from 'zod';
import { parseOrRefuse, refuse } from '../facts/refusal.ts';

const listener = (address: string, port: number) =>
  z.strictObject({
    listen: z.string().min(1).default(address),
    port: z.int().min(0).max(65_535).default(port),
  });

const settings = z.strictObject({
  /** Which portal of the database this machine is. */
  name: z.string().min(1),
  database: z.string().default('sqlite:moat.db'),
  deviceApi: z
    .strictObject({
      ...listener('::', 8443).shape,
      /** Wake boxes by datagrams to UDP of the same port; without them each box holds a connection open (100 KB each). */
      wakeByUdp: z.boolean().default(true),
    })
    .prefault({}),
  operatorApi: z
    .strictObject({
      ...listener('127.0.0.1', 8444).shape,
      /** What a browser may call this page, with the port; anything else is refused (DNS rebinding). */
      hosts: z.array(z.string().min(1)).default([]),
      certificateFile: z.string().optional(),
      keyFile: z.string().optional(),
    })
    .prefault({}),
  metrics: listener('127.0.0.1', 9464).prefault({}),
  tunnel: z
    .strictObject({
      /** The portal's own tunnel configuration is kept current in this file; empty: not written. */
      configFile: z.string().default('tunnel.json'),
      /** Told with SIGHUP after each change. */
      pidFile: z.string().optional(),
    })
    .prefault({}),
  images: z
    .strictObject({
      /** Images of releases (`NAME.img`, `NAME.img.zst`) that personal ones are made of while they are downloaded. */
      folder: z.string().default('images'),
    })
    .prefault({}),
  mail: z
    .strictObject({
      from: z.string().default('moat portal <portal@localhost>'),
      /** `smtp://user:password@host:587`; without it, mails become files in `folder`. */
      smtp: z.string().optional(),
      folder: z.string().default('mail'),
      /** Templates that go before the ones that come with the program. */
      templates: z.string().optional(),
    })
    .prefault({}),
});

export type PortalSettings = z.output<typeof settings> & { readonly folder: string };

/** @throws {Refusal} naming the wrong field. */
export function readSettings(folder: string): PortalSettings {
  const path = join(folder, 'portal.toml');
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch {
    return refuse('', `there is no portal in ${folder}: make one with \`portal init --dir ${folder}\``, 'missing');
  }
  return parseSettings(text, folder);
}

export function parseSettings(text: string, folder: string): PortalSettings {
  let value: unknown;
  try {
    value = parseToml(text);
  } catch (error) {
    // Only where, never the excerpt: it may hold the mail server's password.
    const where = error instanceof TomlError ? `line ${error.line}, column ${error.column}` : 'somewhere';
    return refuse('', `portal.toml cannot be read: ${where}`);
  }
  return { ...parseOrRefuse(settings, value), folder };
}

/** A SQLite path in the settings is relative to the portal's folder. */
export function databaseAddress({ database, folder }: PortalSettings): string {
  const prefix = 'sqlite:';
  return database.startsWith(prefix) ? `${prefix}${resolve(folder, database.slice(prefix.length))}` : database;
}

export function inFolder({ folder }: PortalSettings, path: string): string {
  return resolve(folder, path);
}
