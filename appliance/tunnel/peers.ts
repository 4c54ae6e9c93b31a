import { isDeepStrictEqual } from 'node:util';
import type { LoadedConfig } from '../config/files.ts';
import { localNetworks, seenAs } from '../config/mapping.ts';
import type { Config, PeerConfig } from '../config/schema.ts';
import type { Identity, Peer } from '../ike/api.ts';
import { Trust } from '../ike/x509/trust.ts';
import type { Capabilities } from '../lib/esp-sa.ts';
import { canonicalIp, familyOf, selectorOf } from '../lib/ip.ts';

/** What the data plane of `native/` has beyond the standards. */
const capabilities: Capabilities = { pathProbes: true, superPackets: false };

/** What the IKE core needs to know of each peer of a configuration. */
export function ikePeers(loaded: LoadedConfig): Peer[] {
  return loaded.config.peers.map((peer) => ikePeer(peer, loaded));
}

function ikePeer(peer: PeerConfig, loaded: LoadedConfig): Peer {
  return {
    name: peer.name,
    localId: identityOf(peer.localId ?? loaded.config.identity.id),
    remoteId: identityOf(peer.id),
    ...authOf(peer, loaded),
    ...ppkOf(peer, loaded),
    childless: peer.childless,
    requests: peer.requests,
    resumes: peer.resume,
    ...(peer.assigns === undefined ? {} : { assigns: peer.assigns }),
    followRedirects: peer.followRedirects,
    ...(peer.redirectTo === undefined ? {} : { redirectTo: peer.redirectTo }),
    ike: peer.ike,
    esp: peer.esp,
    encapsulation: peer.encapsulation,
    aggfrag: peer.aggfrag,
    capabilities,
    forwarding: { clampMss: peer.clampMss, aggregationDelayMs: peer.aggregationDelayMs, tooBig: peer.tooBig },
    localSelectors: localNetworks(peer, loaded.config)
      .map((prefix) => seenAs(prefix, peer.map.ours))
      .map(selectorOf),
    remoteSelectors: peer.networks.map(selectorOf),
    children: peer.children.map(({ local, remote }) => ({
      localSelectors: local ?? localNetworks(peer, loaded.config).map(selectorOf),
      remoteSelectors: remote,
    })),
    lifetimes: lifetimesOf(peer),
    livenessSeconds: peer.livenessSeconds,
    keepaliveSeconds: peer.keepaliveSeconds,
  };
}

function authOf(peer: PeerConfig, loaded: LoadedConfig): Pick<Peer, 'localAuth' | 'remoteAuth'> {
  const secret = loaded.sharedSecrets.get(peer.name);
  if (secret) return { localAuth: { kind: 'psk', secret }, remoteAuth: { kind: 'psk', secret } };
  const { privateKey, certificate } = loaded;
  const trusted = loaded.trust.get(peer.name);
  if (trusted && certificate && peer.x509) {
    const trust = new Trust({ authorities: trusted.authorities, revocation: peer.x509.revocation });
    trust.setRevocationLists(trusted.revocationLists);
    return { localAuth: { kind: 'x509', ...certificate }, remoteAuth: { kind: 'x509', trust } };
  }
  // The schema holds that a peer without a shared secret has a public key, and that we then have a private one.
  if (!peer.publicKey || !privateKey) throw new Error(`peer ${peer.name} has no key`);
  return {
    localAuth: { kind: 'ed25519', privateKey },
    remoteAuth: { kind: 'ed25519', publicKey: peer.publicKey },
  };
}

const forwardSecrecySeconds = 600;

function lifetimesOf({ childRekeySeconds, ikeRekeySeconds, keySeconds }: PeerConfig): Peer['lifetimes'] {
  const longest = Math.max(childRekeySeconds, ikeRekeySeconds);
  const chosen = longest < forwardSecrecySeconds ? forwardSecrecySeconds : longest * 1.25;
  return { childRekeySeconds, ikeRekeySeconds, keySeconds: keySeconds ?? chosen };
}

function ppkOf({ name, ppk }: PeerConfig, loaded: LoadedConfig): Pick<Peer, 'ppk'> {
  const secret = loaded.ppks.get(name);
  return ppk && secret ? { ppk: { id: ppk.id, secret, required: ppk.required } } : {};
}

/** Names of peers that are not configured as before, or see us otherwise than before. */
export function changedPeers(before: Config, after: Config): string[] {
  const old = new Map(before.peers.map((peer) => [peer.name, peer]));
  const same = (peer: PeerConfig) => isDeepStrictEqual(old.get(peer.name), peer);
  const sameSelf = isDeepStrictEqual(before.identity, after.identity);
  return after.peers.filter((peer) => old.has(peer.name) && !(sameSelf && same(peer))).map(({ name }) => name);
}

/** Names of peers that are to be called elsewhere than before. */
export function movedPeers(before: Config, after: Config): string[] {
  const old = new Map(before.peers.map(({ name, addresses }) => [name, addresses.join()]));
  return after.peers
    .filter(({ name, addresses }) => old.has(name) && old.get(name) !== addresses.join())
    .map(({ name }) => name);
}

/** The identity's kind by its form (RFC 7296 3.5): `keyid:` and hexadecimal, `C=CH, CN=gw`, an e-mail address, an IP address, else a name. */
export function identityOf(text: string): Identity {
  if (/^keyid:([0-9a-f]{2})+$/i.test(text)) return { kind: 'keyId', value: text.slice('keyid:'.length).toLowerCase() };
  if (/^[A-Za-z.0-9]+=/.test(text)) return { kind: 'dn', value: text };
  if (text.includes('@')) return { kind: 'rfc822', value: text };
  try {
    const address = canonicalIp(text);
    return { kind: familyOf(address) === 4 ? 'ipv4' : 'ipv6', value: address };
  } catch {
    return { kind: 'fqdn', value: text };
  }
}
