import { createPrivateKey, createPublicKey } from 'node:crypto';
import type {
  EspAlgorithms,
  IkeAlgorithms,
  KeyExchange,
  LocalAuth,
  Peer,
  RemoteAuth,
} from '../../appliance/ike/api.ts';
import { concat, fromHex } from '../../appliance/lib/bytes.ts';
import { parsePrefix, selectorOf } from '../../appliance/lib/ip.ts';
import { Secret } from '../../appliance/lib/secret.ts';
import type { Chance } from './chance.ts';

/** The same text for both ends; a secret each, since an endpoint may wipe its own. */
function secretOf(text: string): Secret {
  return new Secret(new Uint8Array(Buffer.from(text)));
}

function publicOf(seed: Uint8Array): Uint8Array {
  const pkcs8 = concat(fromHex('302e020100300506032b657004220420'), seed);
  const key = createPrivateKey({ key: Buffer.from(pkcs8), format: 'der', type: 'pkcs8' });
  return new Uint8Array(createPublicKey(key).export({ format: 'der', type: 'spki' }).subarray(-32));
}

const ciphers: EspAlgorithms['ciphers'] = ['aes-256-gcm-16', 'chacha20-poly1305', 'aes-128-gcm-16'];

function algorithms(chance: Chance): { ike: IkeAlgorithms; esp: EspAlgorithms } {
  // ECP-256 is the cheaper one here, so most worlds use it; the others prove that it makes no difference.
  const only: readonly KeyExchange[] = chance.happens(0.8) ? ['ecp256'] : ['x25519', 'ecp256'];
  const cipher = chance.pick(ciphers);
  const hybrid = chance.happens(0.3) ? ({ additionalKeyExchanges: ['mlkem768', 'none'] } as const) : {};
  return {
    ike: {
      ciphers: [cipher, ...ciphers],
      prfs: [chance.pick(['hmac-sha2-256', 'hmac-sha2-384'])],
      keyExchanges: only,
      ...hybrid,
    },
    esp: {
      ciphers: [cipher],
      keyExchanges: chance.happens(0.5) ? only : [...only, 'none'],
      ...hybrid,
      esn: chance.pick([[true, false], [true], [false]]),
    },
  };
}

/** Of each side's own: they have to agree on what both have. */
function features(chance: Chance): Pick<Peer, 'aggfrag' | 'capabilities'> {
  const capabilities = { pathProbes: chance.happens(0.7), superPackets: chance.happens(0.7) };
  return { aggfrag: chance.happens(0.7), capabilities };
}

/** The same agreement seen from home and from the portal. */
export function agreement(chance: Chance, changes: Partial<Peer>): { home: Peer; portal: Peer } {
  const seeds = { home: chance.bytes(32), portal: chance.bytes(32) };
  const signed = chance.happens(0.3);
  const local = (seed: Uint8Array): LocalAuth =>
    signed ? { kind: 'ed25519', privateKey: new Secret(seed.slice()) } : { kind: 'psk', secret: secretOf('shared') };
  const remote = (seed: Uint8Array): RemoteAuth =>
    signed ? { kind: 'ed25519', publicKey: publicOf(seed) } : { kind: 'psk', secret: secretOf('shared') };
  const common = {
    ...algorithms(chance),
    lifetimes: { childRekeySeconds: 3_600, ikeRekeySeconds: 14_400 },
    livenessSeconds: 10,
    encapsulation: chance.pick(['udp', 'auto'] as const),
    keepaliveSeconds: 20,
    ...changes,
  };
  const homeId = { kind: 'fqdn', value: 'home-1.example' } as const;
  const portalId = { kind: 'fqdn', value: 'portal.example' } as const;
  const lan = [selectorOf(parsePrefix('10.1.0.0/24')), selectorOf(parsePrefix('fd00:1::/64'))];
  const corporate = [selectorOf(parsePrefix('0.0.0.0/0')), selectorOf(parsePrefix('::/0'))];
  return {
    home: {
      ...features(chance),
      ...common,
      name: 'portal',
      localId: homeId,
      remoteId: portalId,
      localAuth: local(seeds.home),
      remoteAuth: remote(seeds.portal),
      localSelectors: lan,
      remoteSelectors: corporate,
    },
    portal: {
      ...features(chance),
      ...common,
      name: 'home-1',
      localId: portalId,
      remoteId: homeId,
      localAuth: local(seeds.portal),
      remoteAuth: remote(seeds.home),
      localSelectors: corporate,
      remoteSelectors: lan,
    },
  };
}
