import { isWithin, labelsOf, lower, type Name, nameToText, parentOf } from '../wire/name.ts';
import { Type } from '../wire/numbers.ts';
import { txtRdata } from '../wire/rdata.ts';
import { findSet } from './packed.ts';
import { nodeAt, type Zone } from './zone.ts';

/** Zones that one catalog may list: a home has use for a few, and each takes memory. */
export const maxMembers = 200;

/** What a catalog zone lists (RFC 9432 4.1). */
export interface Catalog {
  /** Member zone to the unique label of its node: another label for the same zone means that it begins anew (5.4). */
  readonly members: ReadonlyMap<Name, string>;
  /** Listed, but outside of what the catalog may bring. */
  readonly refused: readonly Name[];
}

/**
 * Reads a catalog zone of schema version 2. `within`: only zones at or below these names are taken; whoever writes the
 * catalog decides about names of the whole house otherwise. Properties (group, coo) mean nothing to a home and are passed over.
 * @returns a sentence if the catalog is broken: then it must not be processed, and what it said before holds (RFC 9432 5.1).
 */
export function readCatalog(zone: Zone, within: readonly Name[]): Catalog | string {
  const { origin } = zone;
  const versions = rdatasAt(zone, `\x07version${origin}`, Type.TXT);
  if (versions.length !== 1 || versions[0] !== txtRdata('2')) return 'it is not of schema version 2 (RFC 9432 4.2.1)';
  const nodes = `\x05zones${origin}`;
  const members = new Map<Name, string>();
  const refused: Name[] = [];
  for (const owner of zone.nodes.keys()) {
    if (parentOf(owner) !== nodes) continue;
    const listed = rdatasAt(zone, owner, Type.PTR);
    if (listed.length === 0) continue;
    const label = labelsOf(owner)[0] ?? '';
    const member = lower(listed[0] ?? '');
    if (listed.length > 1) return `its member '${nameToText(owner)}' has ${listed.length} names (RFC 9432 4.1)`;
    if (members.has(member)) return `it lists ${nameToText(member)} twice (RFC 9432 4.1)`;
    if (member === origin || !within.some((above) => isWithin(member, above))) refused.push(member);
    else members.set(member, label);
    if (members.size > maxMembers) return `it lists more than ${maxMembers} zones`;
  }
  return { members, refused };
}

function rdatasAt(zone: Zone, owner: Name, type: number): readonly string[] {
  return findSet(nodeAt(zone, owner) ?? [], type)?.rdatas ?? [];
}

export interface Listed {
  readonly catalog: Name;
  readonly label: string;
}

/**
 * Which catalog each member belongs to. A zone that is configured by name is nobody's member; one that two catalogs list
 * stays with the one that had it (RFC 9432 5.2), else goes to the first.
 */
export function membership(
  catalogs: ReadonlyMap<Name, Catalog>,
  configured: ReadonlySet<Name>,
  before: ReadonlyMap<Name, Listed>,
): Map<Name, Listed> {
  const after = new Map<Name, Listed>();
  for (const [member, { catalog }] of before) {
    const label = catalogs.get(catalog)?.members.get(member);
    if (label !== undefined) after.set(member, { catalog, label });
  }
  for (const [catalog, { members }] of catalogs) {
    for (const [member, label] of members) {
      if (!configured.has(member) && !after.has(member)) after.set(member, { catalog, label });
    }
  }
  return after;
}
