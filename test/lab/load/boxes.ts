/** The boxes of the load test, seen from both ends. All are called and named by number; their keys follow from it. */
import { createHash, createPrivateKey, createPublicKey } from 'node:crypto';
import type { Peer } from '../../../appliance/ike/api.ts';
import { concat, fromHex } from '../../../appliance/lib/bytes.ts';
import { parsePrefix, selectorOf } from '../../../appliance/lib/ip.ts';
import { Secret } from '../../../appliance/lib/secret.ts';

export const portalId = 'portal.moat.example';
export const corpNetwork = '10.1.0.0/16';
const pkcs8 = fromHex('302e020100300506032b657004220420');

export const nameOf = (box: number) => `box-${box}`;
/** Four addresses each, of 10.64.0.0/10. */
export const networkOf = (box: number) => `10.${64 + (box >> 14)}.${(box >> 6) & 255}.${(box & 63) * 4}/30`;

export function seedOf(name: string): Uint8Array {
  return new Uint8Array(createHash('sha256').update(`load test ${name}`).digest());
}

export function publicKeyOf(seed: Uint8Array): Uint8Array {
  const key = createPrivateKey({ key: Buffer.from(concat(pkcs8, seed)), format: 'der', type: 'pkcs8' });
  return new Uint8Array(createPublicKey(key).export({ format: 'der', type: 'spki' }).subarray(-32));
}

/** A key file as `identity.privateKeyFile` names it. */
export function pemOf(seed: Uint8Array): string {
  const der = Buffer.from(concat(pkcs8, seed)).toString('base64');
  return `-----BEGIN PRIVATE KEY-----\n${der}\n-----END PRIVATE KEY-----\n`;
}

/** The portal as box `number` has it configured. */
export function portalOf(box: number, mlkem: boolean): Peer {
  const additionalKeyExchanges = [mlkem ? 'mlkem768' : 'none'] as const;
  return {
    name: nameOf(box),
    localId: { kind: 'fqdn', value: nameOf(box) },
    remoteId: { kind: 'fqdn', value: portalId },
    localAuth: { kind: 'ed25519', privateKey: new Secret(seedOf(nameOf(box))) },
    remoteAuth: { kind: 'ed25519', publicKey: publicKeyOf(seedOf(portalId)) },
    ike: { ciphers: ['aes-256-gcm-16'], prfs: ['hmac-sha2-256'], keyExchanges: ['x25519'], additionalKeyExchanges },
    esp: { ciphers: ['aes-256-gcm-16'], keyExchanges: ['x25519'], esn: [true], additionalKeyExchanges },
    aggfrag: true,
    // Nobody here answers probes.
    capabilities: { pathProbes: false, superPackets: false },
    localSelectors: [selectorOf(parsePrefix(networkOf(box)))],
    remoteSelectors: [selectorOf(parsePrefix(corpNetwork))],
    lifetimes: { childRekeySeconds: 3600, ikeRekeySeconds: 7200 },
    livenessSeconds: 0,
    encapsulation: 'auto',
    keepaliveSeconds: 20,
  };
}
