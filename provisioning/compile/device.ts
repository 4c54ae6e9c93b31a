/**
 * Facts in, configurations out. Pure and deterministic: the same facts give the same octets on every portal machine, so
 * that "has anything changed for this box" is a comparison of two texts.
 */

import { ConfigError } from '../../appliance/config/problems.ts';
import { parseConfig } from '../../appliance/config/schema.ts';
import { canonicalJson } from '../facts/records.ts';
import { Refusal } from '../facts/refusal.ts';
import { type LanFacts, lanSections, mainRanges, ownAddress } from './lan.ts';
import { merge } from './merge.ts';

type Section = Readonly<Record<string, unknown>>;

export interface PortalFacts {
  readonly name: string;
  readonly ikeId: string;
  readonly publicKey: string;
  readonly addresses: readonly string[];
  readonly networks: readonly string[];
  readonly settings: Section;
}

export interface DeviceFacts {
  readonly name: string;
  readonly ikeId: string;
  /** The key that the box proves itself with, or null while it has not enrolled. */
  readonly publicKey: string | null;
  /** Revoked and archived boxes have no peer at the portal. One that was moved may still come back. */
  readonly mayCall: boolean;
  readonly portal: PortalFacts;
  /** What is assigned to the site, in the order of the pools. */
  readonly ranges: readonly string[];
  readonly dnsZones: LanFacts['dnsZones'];
  readonly zones: LanFacts['zones'];
  /** Policy, site, device: the later one wins. */
  readonly settings: readonly Section[];
}

/** File name of the box's own key; the box keeps it beside the configuration. */
const privateKeyFile = 'identity.key';

/**
 * What the portal works out for each part of a configuration, by its name there; settings are laid over it. The LAN's parts
 * are in `lan.ts`: a service whose schema joins `appliance/config/schema.ts` gets its row there.
 */
const slices: Readonly<Record<string, (facts: DeviceFacts) => Section>> = {
  identity: (facts) => ({ id: facts.ikeId, privateKeyFile }),
  tunnel: (facts) => ({ networks: facts.ranges, sourceAddresses: mainRanges(facts.ranges).map(ownAddress) }),
};

/** The configuration without its revision. @throws {Refusal} when the box would refuse it. */
export function compileDevice(facts: DeviceFacts): string {
  const { peer = {}, lan, ...settings } = merge(...facts.settings);
  const worked = {
    ...Object.fromEntries(Object.entries(slices).map(([name, slice]) => [name, slice(facts)])),
    ...lanSections(lan, { ...facts, corporate: facts.portal.networks }),
  };
  const { name, ikeId, publicKey, addresses, networks } = facts.portal;
  const portal = merge(peer as Section, { name, id: ikeId, publicKey, addresses, networks });
  const config = { ...merge(worked, settings), role: 'home', name: facts.name, peers: [portal] };
  accept(config, facts.name);
  return canonicalJson(config);
}

/** The box as the portal's own configuration has it, or the empty text when it may not call. */
export function compilePeer(facts: DeviceFacts): string {
  if (!facts.mayCall || facts.publicKey === null) return '';
  const { peer = {} } = merge(...facts.settings);
  const { name, ikeId, publicKey, ranges } = facts;
  const entry = merge(peer as Section, { name, id: ikeId, publicKey, networks: ranges });
  accept(portalConfig(facts.portal, [entry]), name);
  return canonicalJson(entry);
}

/** The portal's own tunnel configuration. `peers` are JSON texts of `compilePeer`. */
export function compilePortal(portal: PortalFacts, peers: readonly string[]): string {
  accept(portalConfig(portal, []), portal.name);
  // Put together as text: the peers were checked one by one when they were compiled.
  const head = canonicalJson(portalConfig(portal, []));
  return head.replace('"peers":[]', () => `"peers":[\n${peers.join(',\n')}\n]`);
}

function portalConfig(portal: PortalFacts, peers: readonly Section[]): Section {
  const worked = {
    identity: { id: portal.ikeId, privateKeyFile },
    tunnel: { networks: portal.networks },
  };
  return { ...merge(worked, portal.settings), role: 'portal', name: portal.name, peers };
}

/** Read by the very function that the box reads it with. */
function accept(config: Section, name: string): void {
  try {
    parseConfig(config);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    throw new Refusal(
      error.problems.map(({ field, message }) => ({
        field: field.replace(/^peers\[0\]/, 'peer'),
        message: `${message} (in the configuration of ${name})`,
      })),
    );
  }
}
