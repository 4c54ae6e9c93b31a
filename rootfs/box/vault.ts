/**
 * What a box may never lose, the identity key and the last configuration that worked, as records with checksums.
 *
 * Theory of operation: two places in the raw partition `moat-state`, written in turn, and one file on the data partition.
 * The readable record with the highest number wins and is written back to where it is missing. A write that is cut off
 * damages the one place that it touched.
 */
import { createHash } from 'node:crypto';

export interface Vault {
  /** PEM, PKCS#8, Ed25519. */
  readonly identityKey: string | null;
  /** The text of the moat.toml with which the tunnel last came up. */
  readonly lastGood: string | null;
  /** Hardware addresses, so that ports keep their sides whatever order drivers load in. */
  readonly ports: { readonly wild: string; readonly work: string } | null;
  /** What an enrolled box has of its portal, by file name: key, where the portal is, the configuration that came last. */
  readonly portal: Readonly<Record<string, string>> | null;
  /** Of a portal: the keys that thousands of boxes have pinned, by file name. */
  readonly portalKeys?: Readonly<Record<string, string>>;
}

export interface Numbered {
  readonly number: number;
  readonly vault: Vault;
}

export const emptyVault: Vault = { identityKey: null, lastGood: null, ports: null, portal: null };
/** Octets of one place; a configuration of a home is a few thousand. */
export const recordOctets = 262_144;
const magic = 'moat-vault-1 ';

/** ASCII `moat-vault-1 LENGTH SHA256\n`, then LENGTH octets of JSON. @throws {RangeError} when it does not fit a place. */
export function encodeRecord(record: Numbered): Uint8Array {
  const body = Buffer.from(JSON.stringify(record), 'utf8');
  const head = Buffer.from(`${magic}${body.length} ${sha256(body)}\n`, 'latin1');
  if (head.length + body.length > recordOctets) throw new RangeError('the configuration is too large for the vault');
  return new Uint8Array(Buffer.concat([head, body]));
}

/** Null for anything that is not exactly what was written. */
export function decodeRecord(bytes: Uint8Array): Numbered | null {
  const head = Buffer.from(bytes.subarray(0, 128)).toString('latin1');
  const match = /^moat-vault-1 ([0-9]{1,6}) ([0-9a-f]{64})\n/.exec(head);
  if (!match) return null;
  const body = Buffer.from(bytes.subarray(match[0].length, match[0].length + Number(match[1])));
  if (body.length !== Number(match[1]) || sha256(body) !== match[2]) return null;
  const { number, vault } = JSON.parse(body.toString('utf8')) as Numbered;
  return { number, vault: { ...emptyVault, ...vault } };
}

export type Place = 'first' | 'second' | 'file';

/** The newest of what the places hold, and which places lack it. */
export function newest(places: Readonly<Record<Place, Numbered | null>>) {
  const names: readonly Place[] = ['first', 'second', 'file'];
  const found = names.map((name) => places[name]).filter((record) => record !== null);
  const best = found.reduce<Numbered>((a, b) => (b.number > a.number ? b : a), { number: 0, vault: emptyVault });
  return { best, damaged: names.filter((name) => places[name] === null) };
}

/** In which raw place the next record goes: never over the newest one. */
export function nextPlace(places: Readonly<Record<Place, Numbered | null>>): 'first' | 'second' {
  const number = (record: Numbered | null) => record?.number ?? -1;
  return number(places.first) <= number(places.second) ? 'first' : 'second';
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
