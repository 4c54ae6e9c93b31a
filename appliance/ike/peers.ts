import { concat, sameBytes } from '../lib/bytes.ts';
import type { Selector } from '../lib/net.ts';
import type { ChildPolicy, IkeAlgorithms, LocalAuth, Peer, Ppk, RemoteAuth } from './api.ts';
import { policiesOf } from './policies.ts';
import { sameSelector } from './selectors.ts';
import { type Identification, identificationOf, identityKey } from './wire/identification.ts';

/** The peers by name and by identity. Every look-up takes the same time however many there are. */
export class Peers {
  readonly #byName = new Map<string, Peer>();
  readonly #byIdentity = new Map<string, Peer[]>();
  readonly #algorithms = new Map<string, { readonly ike: IkeAlgorithms; uses: number }>();

  /** How many peers want ESP in UDP on every path. */
  forcedUdp = 0;
  /** How many have a PPK. */
  withPpk = 0;
  readonly #withCertificate = new Set<Peer>();

  /** How those prove themselves who have certificates. */
  trusts(): RemoteAuth[] {
    return [...this.#withCertificate].map(({ remoteAuth }) => remoteAuth);
  }

  /** The peer that had this name before. */
  set(peer: Peer): Peer | undefined {
    const old = this.remove(peer.name);
    this.#byName.set(peer.name, peer);
    this.forcedUdp += Number(peer.encapsulation === 'udp');
    this.withPpk += Number(peer.ppk !== undefined);
    if (peer.remoteAuth.kind === 'x509') this.#withCertificate.add(peer);
    const key = identityKey(identificationOf(peer.remoteId));
    this.#byIdentity.set(key, [...(this.#byIdentity.get(key) ?? []), peer]);
    const algorithms = JSON.stringify(peer.ike);
    const known = this.#algorithms.get(algorithms) ?? { ike: peer.ike, uses: 0 };
    known.uses += 1;
    this.#algorithms.set(algorithms, known);
    return old;
  }

  remove(name: string): Peer | undefined {
    const peer = this.#byName.get(name);
    if (peer === undefined) return undefined;
    this.#byName.delete(name);
    this.forcedUdp -= Number(peer.encapsulation === 'udp');
    this.withPpk -= Number(peer.ppk !== undefined);
    this.#withCertificate.delete(peer);
    const key = identityKey(identificationOf(peer.remoteId));
    const left = (this.#byIdentity.get(key) ?? []).filter((each) => each !== peer);
    if (left.length > 0) this.#byIdentity.set(key, left);
    else this.#byIdentity.delete(key);
    const algorithms = JSON.stringify(peer.ike);
    const known = this.#algorithms.get(algorithms);
    if (known !== undefined) known.uses -= 1;
    if (known?.uses === 0) this.#algorithms.delete(algorithms);
    return peer;
  }

  get(name: string): Peer | undefined {
    return this.#byName.get(name);
  }

  /** `local` is the name that the peer expects of us, if it says one. */
  find(remote: Identification, local: Identification | null): Peer | null {
    const candidates = this.#byIdentity.get(identityKey(remote)) ?? [];
    if (local === null) return candidates[0] ?? null;
    const wanted = identityKey(local);
    return candidates.find((peer) => identityKey(identificationOf(peer.localId)) === wanted) ?? null;
  }

  /** Who calls is not known in IKE_SA_INIT, so every set of algorithms that some peer has is acceptable there. */
  algorithms(): IkeAlgorithms[] {
    return [...this.#algorithms.values()].slice(0, maxAlgorithmSets).map(({ ike }) => ike);
  }
}

/** Bounds the work for one datagram of a stranger. */
const maxAlgorithmSets = 16;

/** Whether a change leaves the SAs of the peer valid: same identities, same keys, same selectors. */
export function sameTrust(a: Peer, b: Peer): boolean {
  const [ours, theirs] = [policiesOf(a), policiesOf(b)];
  return (
    ours.length === theirs.length &&
    ours.every((each, i) => samePolicy(each, theirs[i] ?? each)) &&
    JSON.stringify([a.localId, a.remoteId]) === JSON.stringify([b.localId, b.remoteId]) &&
    sameAuth(a.localAuth, b.localAuth) &&
    sameAuth(a.remoteAuth, b.remoteAuth) &&
    samePpk(a.ppk, b.ppk)
  );
}

function samePolicy(a: ChildPolicy, b: ChildPolicy): boolean {
  const same = (one: readonly Selector[], other: readonly Selector[]) =>
    one.length === other.length && one.every((each, i) => sameSelector(each, other[i] ?? each));
  return same(a.localSelectors, b.localSelectors) && same(a.remoteSelectors, b.remoteSelectors);
}

function sameAuth(a: LocalAuth | RemoteAuth, b: LocalAuth | RemoteAuth): boolean {
  if ('trust' in a || 'trust' in b) return 'trust' in a && 'trust' in b && a.trust.isSame(b.trust);
  return a.kind === b.kind && sameBytes(keyOctets(a), keyOctets(b));
}

function keyOctets(auth: Exclude<LocalAuth | RemoteAuth, { trust: unknown }>): Uint8Array {
  if (auth.kind === 'psk') return auth.secret.reveal();
  if (auth.kind === 'x509') return concat(auth.privateKey.reveal(), ...auth.chain);
  return 'privateKey' in auth ? auth.privateKey.reveal() : auth.publicKey;
}

function samePpk(a: Ppk | undefined, b: Ppk | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return a.id === b.id && a.required === b.required && sameBytes(a.secret.reveal(), b.secret.reveal());
}
