import { createHash } from 'node:crypto';
import { DecodeError } from '../../../lib/bytes.ts';
import type { Name } from '../wire/name.ts';
import { Class } from '../wire/numbers.ts';
import { recordsOf, type Zone, ZoneBuilder } from './zone.ts';

/**
 * A zone on disk. All numbers big-endian:
 *
 *     "MOATZON1"  SHA-256 of all that follows
 *     u48 refreshedAt (seconds since 1970)   u32 records   u8 length, origin
 *     per record: u8 length, owner  u16 type  u32 ttl  u16 length, RDATA
 */
const magic = Buffer.from('MOATZON1');
const bodyAt = magic.length + 32;

export interface StoredZone {
  readonly zone: Zone;
  /** Time of day of the last moment at which a primary confirmed the zone, in seconds since 1970. */
  readonly refreshedAtSeconds: number;
}

export function encodeZoneFile(stored: StoredZone): Buffer {
  const { zone, refreshedAtSeconds } = stored;
  let size = 0;
  for (const { owner, rdata } of recordsOf(zone)) size += 9 + owner.length + rdata.length;
  const out = Buffer.alloc(bodyAt + 11 + zone.origin.length + size);
  let at = magic.copy(out);
  at = out.writeUIntBE(refreshedAtSeconds, bodyAt, 6);
  at = out.writeUInt32BE(zone.records, at);
  at = writeShort(out, at, zone.origin);
  for (const rr of recordsOf(zone)) {
    at = writeShort(out, at, rr.owner);
    at = out.writeUInt16BE(rr.type, at);
    at = out.writeUInt32BE(rr.ttl, at);
    at = out.writeUInt16BE(rr.rdata.length, at);
    at += out.write(rr.rdata, at, 'latin1');
  }
  createHash('sha256').update(out.subarray(bodyAt)).digest().copy(out, magic.length);
  return out;
}

function writeShort(out: Buffer, at: number, name: Name): number {
  const next = out.writeUInt8(name.length, at);
  return next + out.write(name, next, 'latin1');
}

/** @throws {DecodeError} on a file of another format, a wrong checksum, or records that no zone may hold. */
export function decodeZoneFile(file: Buffer): StoredZone {
  if (file.length < bodyAt || !file.subarray(0, magic.length).equals(magic)) throw new DecodeError('not a zone file');
  const sum = createHash('sha256').update(file.subarray(bodyAt)).digest();
  if (!sum.equals(file.subarray(magic.length, bodyAt))) throw new DecodeError('the checksum of the zone file is wrong');
  const body = { file, at: bodyAt + 10 };
  const refreshedAtSeconds = file.readUIntBE(bodyAt, 6);
  const builder = new ZoneBuilder(readShort(body));
  for (let left = file.readUInt32BE(bodyAt + 6); left > 0; left -= 1) {
    const owner = readShort(body);
    const type = file.readUInt16BE(body.at);
    const ttl = file.readUInt32BE(body.at + 2);
    const length = file.readUInt16BE(body.at + 6);
    const rdata = file.toString('latin1', body.at + 8, body.at + 8 + length);
    body.at += 8 + length;
    builder.add({ owner, type, class: Class.IN, ttl, rdata });
  }
  return { zone: builder.finish(), refreshedAtSeconds };
}

function readShort(body: { file: Buffer; at: number }): Name {
  const length = body.file.readUInt8(body.at);
  const start = body.at + 1;
  body.at = start + length;
  return body.file.toString('latin1', start, body.at);
}
