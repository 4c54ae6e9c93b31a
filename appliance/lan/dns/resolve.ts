import type { Route } from './forward/state.ts';
import { bare, type Compiled, compile } from './wire/compiled.ts';
import type { Rr } from './wire/message.ts';
import { child, labelsOf, type Name, nameToText, selfAndAncestors } from './wire/name.ts';
import { Class, type Ede, ExtendedError, Flag, Rcode, Type } from './wire/numbers.ts';
import { KeyBit } from './wire/query.ts';
import { aliasHops, lookup, type ZoneAnswer } from './zone/lookup.ts';
import type { Zone } from './zone/zone.ts';

/** A zone that we answer for. `zone` is `undefined` while a secondary has nothing yet; `stale`: it is past its expiry. */
export interface Served {
  readonly zone: Zone | undefined;
  readonly stale: Ede | undefined;
}

/** Everything that decides who answers a name, by origin. Replaced whole when anything in it changes. */
export interface Tables {
  readonly zones: ReadonlyMap<Name, Served>;
  readonly routes: ReadonlyMap<Name, Route>;
  /** LAN names answer to their first label alone too. */
  readonly lanDomain: Name;
}

/** `prefix`: aliases of ours that lead to the name that is asked elsewhere. */
export type Decision =
  | { readonly kind: 'answer'; readonly compiled: Compiled }
  | { readonly kind: 'forward'; readonly key: string; readonly route: Route; readonly prefix: readonly Rr[] };

/** Seconds: RFC 8767 4 for what is past its time. */
const staleTtl = 30;

/**
 * Who answers the question of `key` (class IN), and what, as far as it is ours. The nearest zone or route wins, a zone
 * before a route for the same name; below a zone cut a route is asked, since clients of a home cannot follow referrals.
 */
export function decide(key: string, tables: Tables): Decision {
  const nameLength = key.length - 3;
  const type = (key.charCodeAt(nameLength) << 8) | key.charCodeAt(nameLength + 1);
  const bits = key.charCodeAt(nameLength + 2);
  const prefix: Rr[] = [];
  let name = expanded(key.slice(0, nameLength), type, tables, prefix);
  for (let hops = 0; hops < aliasHops; hops += 1) {
    const { served, route } = nearest(name, tables);
    const asked = (bits & KeyBit.noRecursion) === 0;
    const forward =
      route && asked ? ({ kind: 'forward', key: name + key.slice(nameLength), route, prefix } as const) : undefined;
    if (!served && isBare(name, type) && route?.domain !== name) return nowhere(key);
    if (!served) return forward ?? refuse(key, name);
    if (!served.zone) return notReady(key, served, forward);
    const found = lookup(served.zone, name, type, (bits & KeyBit.dnssecOk) !== 0);
    if (found.delegated && forward) return forward;
    // Who does not want recursion follows aliases himself.
    if (found.chase === undefined || (!asked && !nearest(found.chase, tables).served))
      return { kind: 'answer', compiled: written(key, prefix, found, served.stale) };
    prefix.push(...found.answers);
    name = found.chase;
  }
  return failure(key, Rcode.SERVFAIL, { code: ExtendedError.other, text: 'too many aliases' });
}

/** The nearest of both; a route behind a nearer zone still counts for what that zone has delegated. */
function nearest(name: Name, tables: Tables): { served: Served | undefined; route: Route | undefined } {
  let served: Served | undefined;
  for (const at of selfAndAncestors(name)) {
    served ??= tables.zones.get(at);
    const route = tables.routes.get(at);
    if (route) return { served, route };
  }
  return { served, route: undefined };
}

/** A single label whose address is wanted: top-level domains have none (RFC 7085). */
function isBare(name: Name, type: number): boolean {
  return (type === Type.A || type === Type.AAAA) && labelsOf(name).length === 1;
}

function nowhere(key: string): Decision {
  return { kind: 'answer', compiled: bare(key, Rcode.NXDOMAIN) };
}

/** `printer` is `printer.home.arpa` where that exists. Other single labels have no address, and never leave the house. */
function expanded(name: Name, type: number, tables: Tables, prefix: Rr[]): Name {
  if (!isBare(name, type)) return name;
  const full = child(labelsOf(name)[0] ?? '', tables.lanDomain);
  if (!tables.zones.get(tables.lanDomain)?.zone?.nodes.has(full)) return name;
  prefix.push({ owner: name, type: Type.CNAME, class: Class.IN, ttl: 60, rdata: full });
  return full;
}

function written(key: string, prefix: readonly Rr[], found: ZoneAnswer, stale: Ede | undefined): Compiled {
  const { rcode, flags, answers, authorities, additionals } = found;
  const fresh = { rcode, flags, answers: [...prefix, ...answers], authorities, additionals };
  if (!stale) return compile(key, fresh);
  const capped = (rrs: readonly Rr[]) => rrs.map((rr) => ({ ...rr, ttl: Math.min(rr.ttl, staleTtl) }));
  return compile(key, {
    rcode,
    // An expired zone has lost its authority (RFC 1034 4.3.5); what is left is better than nothing.
    flags: flags & ~Flag.AA,
    answers: capped(fresh.answers),
    authorities: capped(authorities),
    additionals: capped(additionals),
    ede: stale,
  });
}

function failure(key: string, rcode: number, ede: Ede): Decision {
  return { kind: 'answer', compiled: bare(key, rcode, ede) };
}

function refuse(key: string, name: Name): Decision {
  return failure(key, Rcode.REFUSED, {
    code: ExtendedError.prohibited,
    text: `nobody is asked for ${nameToText(name)}`,
  });
}

/** The company's names are asked of its own resolvers until the zone is there, never of the public ones. */
function notReady(key: string, served: Served, forward: Extract<Decision, { kind: 'forward' }> | undefined): Decision {
  if (forward?.route.via === 'tunnel') return forward;
  const text = 'no copy of the zone has arrived yet';
  return failure(key, Rcode.SERVFAIL, served.stale ?? { code: ExtendedError.notReady, text });
}
