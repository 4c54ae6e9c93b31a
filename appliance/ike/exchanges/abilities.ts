import { Reader, Writer } from '../../lib/bytes.ts';
import { isMoat, vendorPayload } from '../features.ts';
import { hashAlgorithms, type NotifyName, notifyTypes } from '../numbers.ts';
import type { Abilities, Incoming } from '../states.ts';
import { type Notify, notifyOf } from '../wire/notify.ts';
import { notifies, type Payload } from '../wire/payloads.ts';

/* What both ends say of themselves in IKE_SA_INIT. */

/** Real lists have five or fewer. */
const maxHashes = 16;

/** In the answer only what answers something stands besides what is for everybody. */
export function ownAbilities(said: readonly NotifyName[]): Payload[] {
  const hashes = Object.values(hashAlgorithms)
    .reduce((writer, hash) => writer.u16(hash), new Writer())
    .finish();
  return [
    { type: 'N', body: notifyOf('SIGNATURE_HASH_ALGORITHMS', hashes) },
    { type: 'N', body: notifyOf('IKEV2_FRAGMENTATION_SUPPORTED') },
    { type: 'N', body: notifyOf('INTERMEDIATE_EXCHANGE_SUPPORTED') },
    ...said.map((name) => ({ type: 'N', body: notifyOf(name) }) as const),
    vendorPayload(),
  ];
}

export function abilitiesOf(message: Incoming, ppk: boolean): Abilities {
  const received = notifies(message.payloads);
  return {
    moat: isMoat(message.payloads),
    fragmentation: supports(message, 'IKEV2_FRAGMENTATION_SUPPORTED'),
    childless: supports(message, 'CHILDLESS_IKEV2_SUPPORTED'),
    redirects: supports(message, 'REDIRECT_SUPPORTED') || supports(message, 'REDIRECTED_FROM'),
    ppk: ppk && supports(message, 'USE_PPK'),
    signatureHashes: hashesIn(received.find(({ notify }) => notify === notifyTypes.SIGNATURE_HASH_ALGORITHMS)),
  };
}

/** RFC 7427 4: two octets each. */
function hashesIn(said: Notify | undefined): number[] {
  const reader = new Reader(said?.data ?? new Uint8Array());
  return Array.from({ length: Math.min(maxHashes, reader.remaining >> 1) }, () => reader.u16());
}

export function supports(message: Incoming, name: NotifyName): boolean {
  return notifies(message.payloads).some(({ notify }) => notify === notifyTypes[name]);
}
