import { DecodeError } from '../../../lib/bytes.ts';
import type { Rr } from '../wire/message.ts';
import { isWithin, type Name, parentOf } from '../wire/name.ts';
import { Class, Type } from '../wire/numbers.ts';
import { type Rdata, recordText, type Soa, soaOf, u16At } from '../wire/rdata.ts';

/** Records of one owner and type; RRSIG records of different covered types are different sets (RFC 4035 2.2). */
export interface RrSet {
  readonly type: number;
  /** For RRSIG: the type that is signed. Otherwise 0. */
  readonly covered: number;
  /** Seconds. */
  readonly ttl: number;
  readonly rdatas: readonly Rdata[];
}

/** All sets of one name; none for an empty non-terminal (RFC 4592 2.2.2). */
export type Node = readonly RrSet[];

/** A zone that may be served. Values of this type are never changed once made; a transfer makes a new one. */
export interface Zone {
  readonly origin: Name;
  readonly soa: Soa;
  readonly nodes: ReadonlyMap<Name, Node>;
  /** Records, for status and limits. */
  readonly records: number;
}

export function findSet(node: Node, type: number, covered = 0): RrSet | undefined {
  return node.find((set) => set.type === type && set.covered === covered);
}

function coveredBy(type: number, rdata: Rdata): number {
  return type === Type.RRSIG || type === Type.SIG ? u16At(rdata, 0) : 0;
}

/** What a home can hold: 64 MiB on the wire is far above any corporate zone that a household has use for. */
export const zoneLimits = { records: 500_000, octets: 64 * 1024 * 1024, recordsOfSet: 2_000, setsOfName: 200 } as const;

/**
 * Collects the records of a zone, from nothing or from an older version of it (which stays as it is). Every call
 * throws `DecodeError` on records that no zone may hold; the builder is useless afterwards.
 */
export class ZoneBuilder {
  readonly origin: Name;
  readonly #nodes: Map<Name, Node>;
  #records: number;
  #octets = 0;

  constructor(origin: Name, from?: Zone) {
    this.origin = origin;
    this.#nodes = new Map(from?.nodes);
    this.#records = from?.records ?? 0;
  }

  /** A record that is there already is ignored (RFC 2181 5). */
  add(rr: Rr): void {
    this.#check(rr);
    const node = this.#nodes.get(rr.owner) ?? [];
    const covered = coveredBy(rr.type, rr.rdata);
    const set = findSet(node, rr.type, covered);
    if (set?.rdatas.includes(rr.rdata)) return;
    if (rr.type === Type.SOA && set) throw new DecodeError('two SOA records');
    if ((set?.rdatas.length ?? 0) >= zoneLimits.recordsOfSet || node.length >= zoneLimits.setsOfName) {
      throw new DecodeError('a name with too many records');
    }
    const grown = { type: rr.type, covered, ttl: rr.ttl, rdatas: [...(set?.rdatas ?? []), rr.rdata] };
    this.#nodes.set(rr.owner, set ? node.map((each) => (each === set ? grown : each)) : [...node, grown]);
    this.#grow(rr);
  }

  /** @throws {DecodeError} when the record is not there: the difference was made against another zone. */
  remove(rr: Rr): void {
    this.#check(rr);
    const node = this.#nodes.get(rr.owner) ?? [];
    const set = findSet(node, rr.type, coveredBy(rr.type, rr.rdata));
    if (!set?.rdatas.includes(rr.rdata)) {
      throw new DecodeError(`a record to delete is not there: ${recordText(rr.owner, rr.type, rr.rdata)}`);
    }
    const shrunk = { ...set, rdatas: set.rdatas.filter((rdata) => rdata !== rr.rdata) };
    const sets = node.map((each) => (each === set ? shrunk : each)).filter((each) => each.rdatas.length > 0);
    if (sets.length > 0) this.#nodes.set(rr.owner, sets);
    else this.#nodes.delete(rr.owner);
    this.#records -= 1;
  }

  /** @throws {DecodeError} unless the apex has an SOA (and a zone is whole without NS for our purpose). */
  finish(): Zone {
    const soa = findSet(this.#nodes.get(this.origin) ?? [], Type.SOA)?.rdatas[0];
    if (soa === undefined) throw new DecodeError('a zone without SOA');
    this.#dropEmptyNodes();
    this.#addEmptyNonTerminals();
    return { origin: this.origin, soa: soaOf(soa), nodes: this.#nodes, records: this.#records };
  }

  #check(rr: Rr): void {
    if (rr.class !== Class.IN) throw new DecodeError(`a record of class ${rr.class}`);
    if (!isWithin(rr.owner, this.origin)) throw new DecodeError('a record outside of the zone');
    if (rr.type === Type.SOA && rr.owner !== this.origin) throw new DecodeError('an SOA below the apex');
    if (rr.type === Type.OPT || (rr.type >= Type.TSIG - 1 && rr.type <= Type.ANY)) {
      throw new DecodeError(`a record of meta type ${rr.type}`);
    }
  }

  #grow(rr: Rr): void {
    this.#records += 1;
    this.#octets += rr.owner.length + rr.rdata.length + 10;
    if (this.#records > zoneLimits.records || this.#octets > zoneLimits.octets)
      throw new DecodeError('a zone too large');
  }

  #dropEmptyNodes(): void {
    for (const [name, node] of this.#nodes) if (node.length === 0) this.#nodes.delete(name);
  }

  #addEmptyNonTerminals(): void {
    for (const name of [...this.#nodes.keys()]) {
      for (let above = parentOf(name); above.length > this.origin.length; above = parentOf(above)) {
        if (this.#nodes.has(above)) break;
        this.#nodes.set(above, []);
      }
    }
  }
}

/** All records of a zone; the SOA is among them, in no special place. */
export function* recordsOf(zone: Zone): Generator<Rr> {
  for (const [owner, node] of zone.nodes) {
    for (const set of node) {
      for (const rdata of set.rdatas) yield { owner, type: set.type, class: Class.IN, ttl: set.ttl, rdata };
    }
  }
}
