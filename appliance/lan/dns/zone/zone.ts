import { DecodeError } from '../../../lib/bytes.ts';
import type { Rr } from '../wire/message.ts';
import { isWithin, type Name, parentOf } from '../wire/name.ts';
import { Class, Type } from '../wire/numbers.ts';
import { recordText, type Soa, soaOf } from '../wire/rdata.ts';
import { coveredBy, findSet, type Node, type PackedNode, pack, unpack } from './packed.ts';

/** A zone that may be served. Values of this type are never changed once made; a transfer makes a new one. */
export interface Zone {
  readonly origin: Name;
  readonly soa: Soa;
  readonly nodes: ReadonlyMap<Name, PackedNode>;
  /** Records, for status and limits. */
  readonly records: number;
}

/** The sets of a name that exists, an empty non-terminal included. */
export function nodeAt(zone: Zone, name: Name): Node | undefined {
  const packed = zone.nodes.get(name);
  return packed === undefined ? undefined : unpack(packed);
}

/** What a home can hold: far above any corporate zone that a household has use for. */
export const zoneLimits = {
  records: 500_000,
  octets: 32 * 1024 * 1024,
  recordsOfSet: 2_000,
  setsOfName: 200,
} as const;

/**
 * Collects the records of a zone, from nothing or from an older version of it (which stays as it is). Every call
 * throws `DecodeError` on records that no zone may hold; the builder is useless afterwards.
 */
export class ZoneBuilder {
  readonly origin: Name;
  readonly #nodes: Map<Name, PackedNode>;
  #records: number;
  #octets = 0;
  /** The name that is being worked on, unpacked: transfers come name by name. */
  #open: { readonly owner: Name; node: Node } | undefined;

  constructor(origin: Name, from?: Zone) {
    this.origin = origin;
    this.#nodes = new Map(from?.nodes);
    this.#records = from?.records ?? 0;
  }

  /** A record that is there already is ignored (RFC 2181 5). */
  add(rr: Rr): void {
    this.#check(rr);
    const node = this.#node(rr.owner);
    const covered = coveredBy(rr.type, rr.rdata);
    const set = findSet(node, rr.type, covered);
    if (set?.rdatas.includes(rr.rdata)) return;
    if (rr.type === Type.SOA && set) throw new DecodeError('two SOA records');
    if ((set?.rdatas.length ?? 0) >= zoneLimits.recordsOfSet || node.length >= zoneLimits.setsOfName) {
      throw new DecodeError('a name with too many records');
    }
    const grown = { type: rr.type, covered, ttl: rr.ttl, rdatas: [...(set?.rdatas ?? []), rr.rdata] };
    this.#replace(rr.owner, set ? node.map((each) => (each === set ? grown : each)) : [...node, grown]);
    this.#grow(rr);
  }

  /** @throws {DecodeError} when the record is not there: the difference was made against another zone. */
  remove(rr: Rr): void {
    this.#check(rr);
    const node = this.#node(rr.owner);
    const set = findSet(node, rr.type, coveredBy(rr.type, rr.rdata));
    if (!set?.rdatas.includes(rr.rdata)) {
      throw new DecodeError(`a record to delete is not there: ${recordText(rr.owner, rr.type, rr.rdata)}`);
    }
    const shrunk = { ...set, rdatas: set.rdatas.filter((rdata) => rdata !== rr.rdata) };
    const sets = node.map((each) => (each === set ? shrunk : each)).filter((each) => each.rdatas.length > 0);
    this.#replace(rr.owner, sets);
    this.#records -= 1;
  }

  /** @throws {DecodeError} unless the apex has an SOA. */
  finish(): Zone {
    const soa = findSet(this.#node(this.origin), Type.SOA)?.rdatas[0];
    if (soa === undefined) throw new DecodeError('a zone without SOA');
    this.#close();
    this.#dropEmptyNodes();
    this.#addEmptyNonTerminals();
    return { origin: this.origin, soa: soaOf(soa), nodes: this.#nodes, records: this.#records };
  }

  #node(owner: Name): Node {
    return this.#open?.owner === owner ? this.#open.node : unpack(this.#nodes.get(owner) ?? '');
  }

  #replace(owner: Name, node: Node): void {
    if (this.#open?.owner !== owner) {
      this.#close();
      this.#open = { owner, node };
    } else this.#open.node = node;
  }

  #close(): void {
    if (this.#open) this.#nodes.set(this.#open.owner, pack(this.#open.node));
    this.#open = undefined;
  }

  #check(rr: Rr): void {
    if (rr.class !== Class.IN) throw new DecodeError(`a record of class ${rr.class}`);
    if (!isWithin(rr.owner, this.origin)) throw new DecodeError('a record outside of the zone');
    if (rr.type === Type.SOA && rr.owner !== this.origin) throw new DecodeError('an SOA below the apex');
    if (rr.type === Type.OPT || (rr.type >= 249 && rr.type <= Type.ANY)) {
      throw new DecodeError(`a record of meta type ${rr.type}`);
    }
  }

  #grow(rr: Rr): void {
    this.#records += 1;
    this.#octets += rr.owner.length + rr.rdata.length + 10;
    if (this.#records > zoneLimits.records || this.#octets > zoneLimits.octets) {
      throw new DecodeError('a zone too large');
    }
  }

  #dropEmptyNodes(): void {
    for (const [name, node] of this.#nodes) if (node === '') this.#nodes.delete(name);
  }

  #addEmptyNonTerminals(): void {
    for (const name of [...this.#nodes.keys()]) {
      for (let above = parentOf(name); above.length > this.origin.length; above = parentOf(above)) {
        if (this.#nodes.has(above)) break;
        this.#nodes.set(above, '');
      }
    }
  }
}

/** All records of a zone; the SOA is among them, in no special place. */
export function* recordsOf(zone: Zone): Generator<Rr> {
  for (const [owner, packed] of zone.nodes) {
    for (const set of unpack(packed)) {
      for (const rdata of set.rdatas) yield { owner, type: set.type, class: Class.IN, ttl: set.ttl, rdata };
    }
  }
}
