import { DecodeError, Reader, Writer } from '../../lib/bytes.ts';
import { formatIp, parseIp } from '../../lib/ip.ts';
import { isDomainName } from './domain-name.ts';

/*
 * The data of REDIRECT and REDIRECTED_FROM, RFC 5685 6; only a REDIRECT in IKE_SA_INIT has the initiator's nonce behind it.
 *
 * +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 * | GW Ident Type |  GW Ident Len |    New Responder GW Identity  ~
 * ~                        Nonce Data                             ~
 */
export interface Redirect {
  /** An address in canonical text, or a domain name. */
  readonly gateway: string;
  readonly nonce: Uint8Array;
}

const types = { ipv4: 1, ipv6: 2, fqdn: 3 } as const;
const lengths = new Map<number, number>([
  [types.ipv4, 4],
  [types.ipv6, 16],
]);

/** @throws {DecodeError} */
export function decodeRedirect(data: Uint8Array): Redirect {
  const reader = new Reader(data);
  const type = reader.u8();
  const identity = reader.bytes(reader.u8());
  const nonce = reader.rest();
  if (type === types.fqdn) {
    const gateway = Buffer.from(identity).toString('latin1');
    if (!isDomainName(gateway)) throw new DecodeError('a redirect to no name of a host');
    return { gateway, nonce };
  }
  if (lengths.get(type) !== identity.length)
    throw new DecodeError(`a redirect of type ${type} to ${identity.length} octets`);
  return { gateway: formatIp(identity), nonce };
}

export function encodeRedirect({ gateway, nonce }: Redirect): Uint8Array {
  const address = isAddress(gateway);
  const type = address === null ? types.fqdn : address.length === 4 ? types.ipv4 : types.ipv6;
  const identity = address ?? new Uint8Array(Buffer.from(gateway, 'latin1'));
  return new Writer().u8(type).u8(identity.length).bytes(identity).bytes(nonce).finish();
}

function isAddress(text: string): Uint8Array | null {
  try {
    return parseIp(text);
  } catch {
    return null;
  }
}
