import type { Rr } from '../wire/message.ts';
import { child, isWithin, lower, type Name, nameOctets, parentOf } from '../wire/name.ts';
import { Class, Flag, Rcode, Type } from '../wire/numbers.ts';
import { nameAt } from '../wire/rdata.ts';
import { type Absence, denial } from './denial.ts';
import { findSet, type Node, type RrSet } from './packed.ts';
import { nodeAt, type Zone } from './zone.ts';

/** How far an answer follows CNAME and DNAME, within this zone and beyond. */
export const aliasHops = 12;

/**
 * What a zone says to a question. `chase`: the answer is an alias to a name that this zone does not decide.
 * `delegated`: the name is below a cut; the records are a referral.
 */
export interface ZoneAnswer {
  readonly rcode: number;
  readonly flags: number;
  readonly answers: readonly Rr[];
  readonly authorities: readonly Rr[];
  readonly additionals: readonly Rr[];
  readonly chase?: Name;
  readonly delegated?: true;
}

interface Asked {
  readonly zone: Zone;
  readonly type: number;
  readonly dnssecOk: boolean;
}

/**
 * RFC 1034 4.3.2 with wildcards (RFC 4592), DNAME (RFC 6672) and signatures for those who ask (RFC 4035 3.1).
 * `name` is lower-case and within the zone.
 */
export function lookup(zone: Zone, name: Name, type: number, dnssecOk: boolean): ZoneAnswer {
  const asked = { zone, type, dnssecOk };
  const answers: Rr[] = [];
  const proofs: Rr[] = [];
  let at = name;
  for (let hops = 0; hops < aliasHops; hops += 1) {
    const found = lookupOnce(asked, at);
    answers.push(...found.answers);
    const outside = found.chase === undefined || !isWithin(found.chase, zone.origin);
    if (outside) return { ...found, answers, authorities: [...proofs, ...found.authorities] };
    proofs.push(...found.authorities);
    at = found.chase ?? at;
  }
  return { rcode: Rcode.SERVFAIL, flags: 0, answers: [], authorities: [], additionals: [] };
}

function lookupOnce(asked: Asked, name: Name): ZoneAnswer {
  const above = crossing(asked, name);
  if (above) return above;
  const node = nodeAt(asked.zone, name);
  if (node) return fromNode(asked, name, node);
  const encloser = closestEncloser(asked.zone, name);
  const wildcard = nodeAt(asked.zone, child('*', encloser));
  if (!wildcard) return negative(asked, Rcode.NXDOMAIN, { kind: 'name', name, encloser });
  return fromNode(asked, name, wildcard, encloser);
}

/** A zone cut at or above the name, or a DNAME above it, whichever is nearer to the apex. */
function crossing(asked: Asked, name: Name): ZoneAnswer | undefined {
  const { zone, type } = asked;
  for (const at of downTo(zone.origin, name)) {
    const node = nodeAt(zone, at);
    if (!node) return undefined;
    const cut = at === zone.origin ? undefined : findSet(node, Type.NS);
    // The parent answers for DS at the cut itself (RFC 4035 3.1.4.1).
    if (cut && !(at === name && type === Type.DS)) return referral(asked, at, node, cut);
    const dname = at === name ? undefined : findSet(node, Type.DNAME);
    if (dname) return redirected(asked, name, { at, node, dname });
  }
  return undefined;
}

/** From the apex to the name, both included. */
function downTo(origin: Name, name: Name): Name[] {
  const path: Name[] = [];
  for (let at = name; at.length >= origin.length; at = parentOf(at)) {
    path.push(at);
    if (at === origin) break;
  }
  return path.reverse();
}

function closestEncloser(zone: Zone, name: Name): Name {
  let at = parentOf(name);
  while (at.length > zone.origin.length && !zone.nodes.has(at)) at = parentOf(at);
  return at;
}

/** `encloser`: the node is the wildcard below it, which stands in for the name. */
function fromNode(asked: Asked, owner: Name, node: Node, encloser?: Name): ZoneAnswer {
  const { type } = asked;
  if (type === Type.ANY) return minimalAny(owner, node);
  const set = findSet(node, type) ?? (type === Type.RRSIG ? node.find((each) => each.type === Type.RRSIG) : undefined);
  const proof = encloser === undefined ? [] : proven(asked, { kind: 'wildcard', name: owner, encloser });
  if (set) return { ...positive(signed(asked, owner, node, set)), authorities: proof };
  const alias = findSet(node, Type.CNAME);
  const target = alias?.rdatas[0];
  if (!alias || target === undefined) {
    const kind = encloser === undefined ? 'type' : 'wildcardType';
    return negative(asked, Rcode.NOERROR, { kind, name: owner, encloser: encloser ?? owner });
  }
  return {
    ...positive(signed(asked, owner, node, alias)),
    authorities: proof,
    chase: lower(nameAt(target, 0)),
  };
}

function positive(answers: readonly Rr[]): ZoneAnswer {
  return { rcode: Rcode.NOERROR, flags: Flag.AA, answers, authorities: [], additionals: [] };
}

/** RFC 8482 4.2: one small set instead of all, so that ANY is no amplifier; HINFO where the name is empty. */
function minimalAny(owner: Name, node: Node): ZoneAnswer {
  const first = node.find((set) => set.type !== Type.RRSIG);
  if (first) return positive(records(owner, first).slice(0, 1));
  return positive([{ owner, type: Type.HINFO, class: Class.IN, ttl: 3600, rdata: '\x07RFC8482\0' }]);
}

export function records(owner: Name, set: RrSet): Rr[] {
  return set.rdatas.map((rdata) => ({ owner, type: set.type, class: Class.IN, ttl: set.ttl, rdata }));
}

function signed(asked: Asked, owner: Name, node: Node, set: RrSet): Rr[] {
  const signatures = asked.dnssecOk && set.type !== Type.RRSIG ? findSet(node, Type.RRSIG, set.type) : undefined;
  return [...records(owner, set), ...(signatures ? records(owner, signatures) : [])];
}

function proven(asked: Asked, absence: Absence): Rr[] {
  return asked.dnssecOk ? denial(asked.zone, absence) : [];
}

/** RFC 2308 3: the SOA goes along, with the time to live that the absence has. */
function negative(asked: Asked, rcode: number, absence: Absence): ZoneAnswer {
  const { origin, soa } = asked.zone;
  const apex = nodeAt(asked.zone, origin) ?? [];
  const set = findSet(apex, Type.SOA);
  const start = (set ? signed(asked, origin, apex, set) : []).map((rr) => ({
    ...rr,
    ttl: Math.min(rr.ttl, soa.minimum),
  }));
  const authorities = [...start, ...proven(asked, absence)];
  return { rcode, flags: Flag.AA, answers: [], authorities, additionals: [] };
}

function referral(asked: Asked, owner: Name, node: Node, cut: RrSet): ZoneAnswer {
  const ds = asked.dnssecOk ? findSet(node, Type.DS) : undefined;
  const glue = cut.rdatas.flatMap((rdata) => addresses(asked.zone, lower(nameAt(rdata, 0))));
  const secure = ds ? signed(asked, owner, node, ds) : proven(asked, { kind: 'type', name: owner });
  const authorities = [...records(owner, cut), ...secure];
  return { rcode: Rcode.NOERROR, flags: 0, answers: [], authorities, additionals: glue, delegated: true };
}

function addresses(zone: Zone, name: Name): Rr[] {
  const node = nodeAt(zone, name) ?? [];
  return [Type.A, Type.AAAA].flatMap((type) => {
    const set = findSet(node, type);
    return set ? records(name, set) : [];
  });
}

/** RFC 6672 3.1: the DNAME and a CNAME made from it. */
function redirected(asked: Asked, name: Name, from: { at: Name; node: Node; dname: RrSet }): ZoneAnswer {
  const { at, node, dname } = from;
  const target = name.slice(0, name.length - at.length) + nameAt(dname.rdatas[0] ?? '\0', 0);
  const proof = signed(asked, at, node, dname);
  if (target.length > nameOctets) {
    return { rcode: Rcode.YXDOMAIN, flags: Flag.AA, answers: proof, authorities: [], additionals: [] };
  }
  const made = { owner: name, type: Type.CNAME, class: Class.IN, ttl: dname.ttl, rdata: target };
  const found = positive([...proof, made]);
  return asked.type === Type.CNAME ? found : { ...found, chase: lower(target) };
}
