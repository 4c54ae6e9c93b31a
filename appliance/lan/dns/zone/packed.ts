import { Type } from '../wire/numbers.ts';
import { type Rdata, u16At, u16Octets, u32At, u32Octets } from '../wire/rdata.ts';

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

/**
 * A node as one binary string: per set `u16 type  u32 ttl  u16 count`, per record `u16 length, RDATA`. As objects, a
 * zone of 10,000 records takes 7 MB; so it takes one, and what is asked for often is in the store of ready answers.
 */
export type PackedNode = string;

export function pack(node: Node): PackedNode {
  let packed = '';
  for (const { type, ttl, rdatas } of node) {
    packed += u16Octets(type) + u32Octets(ttl) + u16Octets(rdatas.length);
    for (const rdata of rdatas) packed += u16Octets(rdata.length) + rdata;
  }
  // What was put together piece by piece is a tree of pieces until it is made flat.
  return Buffer.from(packed, 'latin1').toString('latin1');
}

export function unpack(packed: PackedNode): Node {
  const sets: RrSet[] = [];
  let at = 0;
  while (at < packed.length) {
    const type = u16At(packed, at);
    const ttl = u32At(packed, at + 2);
    const rdatas: Rdata[] = [];
    let left = u16At(packed, at + 6);
    at += 8;
    for (; left > 0; left -= 1) {
      const end = at + 2 + u16At(packed, at);
      rdatas.push(packed.slice(at + 2, end));
      at = end;
    }
    sets.push({ type, covered: coveredBy(type, rdatas[0] ?? ''), ttl, rdatas });
  }
  return sets;
}

/** The type that a signature is for; 0 for records that are none. */
export function coveredBy(type: number, rdata: Rdata): number {
  return type === Type.RRSIG || type === Type.SIG ? u16At(rdata, 0) : 0;
}

export function findSet(node: Node, type: number, covered = 0): RrSet | undefined {
  return node.find((set) => set.type === type && set.covered === covered);
}
