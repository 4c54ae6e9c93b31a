import type { Rr } from '../wire/message.ts';
import { type Name, nameFromText } from '../wire/name.ts';
import { Class, Type } from '../wire/numbers.ts';
import { type Rdata, soaRdata } from '../wire/rdata.ts';
import { type Zone, ZoneBuilder } from '../zone/zone.ts';

/** Zones that this box makes up itself: their SOA is that of RFC 6303 3, with times that fit a home. */
const times = { serial: 1, refresh: 3600, retry: 1200, expire: 604800 } as const;
const nobody = nameFromText('nobody.invalid');

export interface OwnRecord {
  readonly owner: Name;
  readonly type: number;
  readonly rdata: Rdata;
}

/** `ttl`: seconds, of all records and of negative answers. */
export function ownZone(origin: Name, ttl: number, records: readonly OwnRecord[] = []): Zone {
  const builder = new ZoneBuilder(origin);
  const rr = (record: OwnRecord): Rr => ({ ...record, class: Class.IN, ttl });
  const soa = soaRdata({ primary: origin, mailbox: nobody, ...times, minimum: ttl });
  builder.add(rr({ owner: origin, type: Type.SOA, rdata: soa }));
  builder.add(rr({ owner: origin, type: Type.NS, rdata: origin }));
  for (const record of records) builder.add(rr(record));
  return builder.finish();
}

export function addressRecord(owner: Name, octets: Uint8Array): OwnRecord {
  const type = octets.length === 4 ? Type.A : Type.AAAA;
  return { owner, type, rdata: Buffer.from(octets).toString('latin1') };
}
