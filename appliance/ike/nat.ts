import { hash } from 'node:crypto';
import { sameBytes, Writer } from '../lib/bytes.ts';
import { parseIp } from '../lib/ip.ts';
import type { Endpoint, Path } from '../lib/net.ts';
import { notifyTypes } from './numbers.ts';
import type { Header } from './wire/header.ts';
import { type Notify, notifyOf } from './wire/notify.ts';
import type { Payload } from './wire/payloads.ts';

/** Which of the two ends is behind an address translator. */
export interface Nat {
  readonly local: boolean;
  readonly remote: boolean;
}

type Spis = Pick<Header, 'spiInitiator' | 'spiResponder'>;

export const addressHashLength = 20;

/** RFC 7296 2.23: SHA-1 over both SPIs in the order of the header, the address and the port. */
function addressHash(spis: Spis, endpoint: Endpoint): Uint8Array {
  const writer = new Writer().bytes(spis.spiInitiator).bytes(spis.spiResponder);
  writer.bytes(parseIp(endpoint.address)).u16(endpoint.port);
  return new Uint8Array(hash('sha1', writer.finish(), 'buffer'));
}

/** With `pretend`, 20 octets of chance in place of our own address: the peer takes us to be behind a NAT. */
export function natNotifies(spis: Spis, path: Path, pretend: Uint8Array | null): Payload[] {
  return [
    { type: 'N', body: notifyOf('NAT_DETECTION_SOURCE_IP', pretend ?? addressHash(spis, path.local)) },
    { type: 'N', body: notifyOf('NAT_DETECTION_DESTINATION_IP', addressHash(spis, path.remote)) },
  ];
}

/** A peer that sends none of these cannot traverse a NAT, so there is none. Several sources are allowed: one must fit. */
export function detectNat(spis: Spis, received: readonly Notify[], path: Path): Nat {
  const sources = received.filter((each) => each.notify === notifyTypes.NAT_DETECTION_SOURCE_IP).slice(0, 16);
  const destinations = received.filter((each) => each.notify === notifyTypes.NAT_DETECTION_DESTINATION_IP).slice(0, 16);
  const differs = (claims: readonly Notify[], endpoint: Endpoint) => {
    const seen = addressHash(spis, endpoint);
    return claims.length > 0 && !claims.some((claim) => sameBytes(claim.data, seen));
  };
  return { local: differs(destinations, path.local), remote: differs(sources, path.remote) };
}
