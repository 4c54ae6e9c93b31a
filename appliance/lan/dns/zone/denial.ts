import { createHash } from 'node:crypto';
import type { Rr } from '../wire/message.ts';
import { child, labelsOf, type Name, parentOf } from '../wire/name.ts';
import { Class, Type } from '../wire/numbers.ts';
import { u16At } from '../wire/rdata.ts';
import { findSet, type RrSet } from './packed.ts';
import { nodeAt, type Zone } from './zone.ts';

/**
 * Theory of operation. A signed zone says in NSEC or NSEC3 records what is not there; its primary made and signed them, here they are
 * only found, for those who set DO (RFC 4035 3.1.3, RFC 5155 7.2). They form a chain in the order of names, or of their hashes. The
 * chain of a zone is sorted when it is first needed, and forgotten with the zone.
 */

/** What is not there. `encloser`: the nearest name above that exists. */
export type Absence =
  /** Neither the name nor a wildcard for it. */
  | { readonly kind: 'name'; readonly name: Name; readonly encloser: Name }
  /** The name is there, without that type. */
  | { readonly kind: 'type'; readonly name: Name }
  /** The wildcard below `encloser` stood in for the name, which is not there itself; `type`: without that type. */
  | { readonly kind: 'wildcard' | 'wildcardType'; readonly name: Name; readonly encloser: Name };

interface Chain {
  /** The record whose owner is the name (or its hash). */
  matching(name: Name): Name | undefined;
  /** The record in whose gap the name lies. */
  covering(name: Name): Name | undefined;
  readonly hashed: boolean;
}

const chains = new WeakMap<Zone, Chain | 'unsigned'>();
/** RFC 9276 3.2: whoever hashes more often than this is not worth our time. */
const maxIterations = 100;

/** The proof of an absence, with its signatures; nothing where the zone has none. */
export function denial(zone: Zone, absence: Absence): Rr[] {
  const chain = chains.get(zone) ?? chainOf(zone);
  chains.set(zone, chain);
  if (chain === 'unsigned') return [];
  const owners = chain.hashed ? hashedProof(chain, zone, absence) : plainProof(chain, absence);
  const type = chain.hashed ? Type.NSEC3 : Type.NSEC;
  return [...new Set(owners)].flatMap((owner) => (owner === undefined ? [] : proofAt(zone, owner, type)));
}

function proofAt(zone: Zone, owner: Name, type: number): Rr[] {
  const node = nodeAt(zone, owner) ?? [];
  const records = (set: RrSet | undefined) =>
    (set?.rdatas ?? []).map((rdata) => ({ owner, type: set?.type ?? 0, class: Class.IN, ttl: set?.ttl ?? 0, rdata }));
  return [...records(findSet(node, type)), ...records(findSet(node, Type.RRSIG, type))];
}

/** RFC 4035 3.1.3.1 to 3.1.3.4 */
function plainProof(chain: Chain, absence: Absence): (Name | undefined)[] {
  const { kind, name } = absence;
  // An empty non-terminal has no record of its own: it lies in a gap.
  if (kind === 'type') return [chain.matching(name) ?? chain.covering(name)];
  if (kind === 'wildcard') return [chain.covering(name)];
  const wildcard = child('*', absence.encloser);
  if (kind === 'wildcardType') return [chain.matching(wildcard), chain.covering(name)];
  return [chain.covering(name), chain.covering(wildcard)];
}

/** RFC 5155 7.2.1 to 7.2.7 */
function hashedProof(chain: Chain, zone: Zone, absence: Absence): (Name | undefined)[] {
  const { kind, name } = absence;
  if (kind === 'type') {
    const own = chain.matching(name);
    if (own !== undefined) return [own];
    // Opt-out: names without signatures of their own are in no chain; the nearest one above that is.
    let above = parentOf(name);
    while (above.length > zone.origin.length && chain.matching(above) === undefined) above = parentOf(above);
    return enclosed(chain, name, above);
  }
  const next = chain.covering(nextCloser(name, absence.encloser));
  if (kind === 'wildcard') return [next];
  const wildcard = child('*', absence.encloser);
  const last = kind === 'name' ? chain.covering(wildcard) : chain.matching(wildcard);
  return [chain.matching(absence.encloser), next, last];
}

function enclosed(chain: Chain, name: Name, encloser: Name): (Name | undefined)[] {
  return [chain.matching(encloser), chain.covering(nextCloser(name, encloser))];
}

/** The name one label longer than `encloser` (RFC 5155 1.3). */
function nextCloser(name: Name, encloser: Name): Name {
  let at = name;
  while (parentOf(at).length > encloser.length) at = parentOf(at);
  return at;
}

function chainOf(zone: Zone): Chain | 'unsigned' {
  const apex = nodeAt(zone, zone.origin) ?? [];
  const parameters = findSet(apex, Type.NSEC3PARAM)?.rdatas[0];
  if (parameters !== undefined) return hashedChain(zone, parameters);
  return findSet(apex, Type.NSEC) ? sortedChain(ownersOf(zone, Type.NSEC), canonical, false) : 'unsigned';
}

function ownersOf(zone: Zone, type: number): Name[] {
  return [...zone.nodes.keys()].filter((owner) => findSet(nodeAt(zone, owner) ?? [], type));
}

/** RFC 5155 4.2: algorithm, flags, iterations, salt. */
function hashedChain(zone: Zone, parameters: string): Chain | 'unsigned' {
  const iterations = u16At(parameters, 2);
  if (parameters.charCodeAt(0) !== 1 || iterations > maxIterations) return 'unsigned';
  const salt = Buffer.from(parameters.slice(5, 5 + parameters.charCodeAt(4)), 'latin1');
  const hash = (name: Name) => hashOf(name, salt, iterations);
  // An owner's first label is the hash itself, and its digits sort as its octets do.
  const [label, suffix] = [(owner: Name) => labelsOf(owner)[0] ?? '', zone.origin];
  const owners = ownersOf(zone, Type.NSEC3).filter((owner) => parentOf(owner) === suffix);
  return sortedChain(owners, label, true, hash);
}

/** `keyOf`: by which owners are sorted; `find`: the same of a name that is looked for. */
function sortedChain(
  owners: readonly Name[],
  keyOf: (owner: Name) => string,
  hashed: boolean,
  find: (name: Name) => string = keyOf,
): Chain {
  const links = owners.map((owner) => ({ key: keyOf(owner), owner })).sort((a, b) => (a.key < b.key ? -1 : 1));
  /** The last link that is not behind `key`; before the first one lies the end of the ring. */
  const before = (key: string) => {
    let [low, high] = [0, links.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((links[middle]?.key ?? '') <= key) low = middle + 1;
      else high = middle;
    }
    return links[low - 1] ?? links.at(-1);
  };
  const look = (name: Name) => {
    const key = find(name);
    const link = before(key);
    return { owner: link?.owner, matches: link?.key === key };
  };
  const ownerIf = (wanted: boolean) => (name: Name) => {
    const { owner, matches } = look(name);
    return matches === wanted ? owner : undefined;
  };
  return { hashed, matching: ownerIf(true), covering: ownerIf(false) };
}

/** RFC 4034 6.1 as a text to sort by: labels from the right, each octet above the separator. */
function canonical(name: Name): string {
  const labels = labelsOf(name).reverse();
  return labels
    .map((label) => `${[...label].map((octet) => String.fromCharCode(octet.charCodeAt(0) + 1)).join('')}\0`)
    .join('');
}

const digits = '0123456789abcdefghijklmnopqrstuv';

/** RFC 5155 5, in base32hex (RFC 4648 7) without padding: SHA-1 has 160 bits, which are 32 digits. */
function hashOf(name: Name, salt: Buffer, iterations: number): string {
  let octets: Buffer = Buffer.from(name, 'latin1');
  for (let i = 0; i <= iterations; i += 1) octets = createHash('sha1').update(octets).update(salt).digest();
  let bits = 0n;
  for (const octet of octets) bits = (bits << 8n) | BigInt(octet);
  return Array.from({ length: 32 }, (_, i) => digits[Number((bits >> BigInt(155 - 5 * i)) & 31n)]).join('');
}
