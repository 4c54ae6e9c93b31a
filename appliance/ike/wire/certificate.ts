import { concat, DecodeError, type Reader, Writer } from '../../lib/bytes.ts';

/*
 * RFC 7296 3.6 and 3.7: a certificate, or what is asked for. Of X.509, the latter are the SHA-1 hashes of the public keys of
 * the authorities that the sender trusts, 20 octets each.
 *
 * +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 * | Cert Encoding |     Certificate Data, or Certification        |
 * ~                      Authorities                              ~
 */
export interface CertificateData {
  readonly encoding: number;
  readonly data: Uint8Array;
}

/** @throws {DecodeError} */
export function decodeCertificateData(reader: Reader): CertificateData {
  return { encoding: reader.u8(), data: reader.rest() };
}

export function encodeCertificateData({ encoding, data }: CertificateData): Uint8Array {
  return new Writer().u8(encoding).bytes(data).finish();
}

const hashLength = 20;

export function authorityHashes(hashes: readonly Uint8Array[]): Uint8Array {
  if (hashes.some(({ length }) => length !== hashLength)) throw new DecodeError('a hash of an authority that is none');
  return concat(...hashes);
}
