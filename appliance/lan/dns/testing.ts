/** Small things that tests of several rooms need. */
import type { Env } from '../../lib/env.ts';
import type { Rr } from './wire/message.ts';
import { nameFromText } from './wire/name.ts';
import { Class, Flag, Type } from './wire/numbers.ts';
import { type Rdata, soaRdata, txtRdata } from './wire/rdata.ts';
import { MessageWriter, optRecord } from './wire/writer.ts';
import { type Zone, ZoneBuilder } from './zone/zone.ts';

interface AskOptions {
  readonly flags?: number;
  readonly edns?: { readonly udpOctets: number; readonly dnssecOk?: boolean };
}

/** A client's question. */
export function ask(name: string, type: number, options: AskOptions = {}): Buffer {
  const writer = new MessageWriter(0x4242, options.flags ?? Flag.RD);
  writer.question(nameFromText(name), type, Class.IN);
  const bytes = writer.finish();
  if (!options.edns) return bytes;
  bytes.writeUInt16BE(1, 10);
  return Buffer.concat([bytes, optRecord({ extendedRcode: 0, dnssecOk: false, ...options.edns })]);
}

/** A record; `value` by type: an address, a name, a text, or raw octets. */
export function record(owner: string, type: keyof typeof Type, value: string, ttl = 300): Rr {
  return { owner: nameFromText(owner), type: Type[type], class: Class.IN, ttl, rdata: rdataOf(type, value) };
}

function rdataOf(type: keyof typeof Type, value: string): Rdata {
  if (type === 'A') return String.fromCharCode(...value.split('.').map(Number));
  if (type === 'TXT') return txtRdata(value);
  if (['NS', 'CNAME', 'PTR', 'DNAME'].includes(type)) return nameFromText(value);
  return value;
}

/** Seconds: refresh 3600, retry 600, expire 86400, minimum 60. */
export function soaRecord(origin: string, serial: number): Rr {
  const name = nameFromText(origin);
  const rdata = soaRdata({
    primary: name,
    mailbox: name,
    serial,
    refresh: 3600,
    retry: 600,
    expire: 86400,
    minimum: 60,
  });
  return { owner: name, type: Type.SOA, class: Class.IN, ttl: 300, rdata };
}

export function zoneOf(origin: string, serial: number, records: readonly Rr[]): Zone {
  const builder = new ZoneBuilder(nameFromText(origin));
  for (const each of [soaRecord(origin, serial), ...records]) builder.add(each);
  return builder.finish();
}

/** A machine's surroundings at a moment; randomness counts up, so that runs repeat. */
export function envAt(now: number): Env & { wallSeconds: number } {
  let next = 1;
  const random = (length: number) => Uint8Array.from({ length }, () => next++ & 255);
  return { now, wallSeconds: 1_790_000_000 + Math.floor(now / 1000), random };
}
