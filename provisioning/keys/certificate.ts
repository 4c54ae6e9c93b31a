/**
 * A self-signed X.509 certificate (RFC 5280, RFC 8410), because TLS wants one around a key. Boxes pin the key and look at
 * nothing else in it, so it never expires. Written here, in DER by hand, because node:crypto reads certificates but
 * issues none, and a portal should not need the openssl program for 300 octets.
 */
import { createPublicKey, type KeyObject, sign, X509Certificate } from 'node:crypto';

export interface CertificateRequest {
  readonly privateKey: KeyObject;
  readonly commonName: string;
  /** Names that a browser may call it by; boxes do not look. */
  readonly dnsNames: readonly string[];
  /** 16 octets. */
  readonly serial: Uint8Array;
}

const tag = {
  boolean: 0x01,
  integer: 0x02,
  bits: 0x03,
  octets: 0x04,
  utf8: 0x0c,
  time: 0x18,
  sequence: 0x30,
  set: 0x31,
};

function der(type: number, ...parts: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(parts);
  // X.690 10.1: the length in as few octets as it needs; Chromium refuses what OpenSSL forgives.
  const digits = body.length.toString(16);
  const octets = Buffer.from(digits.length % 2 ? `0${digits}` : digits, 'hex');
  const length = body.length < 128 ? octets : Buffer.concat([Buffer.of(0x80 | octets.length), octets]);
  return Buffer.concat([Buffer.of(type), length, body]);
}

const oid = (hexadecimal: string) => Buffer.from(hexadecimal, 'hex');
const algorithms: Readonly<Record<string, { identifier: Buffer; digest: string | null }>> = {
  ed25519: { identifier: der(tag.sequence, oid('06032b6570')), digest: null },
  ec: { identifier: der(tag.sequence, oid('06082a8648ce3d040302')), digest: 'sha256' },
};
const commonNameOid = oid('0603550403');
const alternativeNamesOid = oid('0603551d11');
const basicConstraintsOid = oid('0603551d13');

/** PEM. @throws {TypeError} unless the key is Ed25519 or elliptic-curve. */
export function selfSignedCertificate({ privateKey, commonName, dnsNames, serial }: CertificateRequest): string {
  const algorithm = algorithms[privateKey.asymmetricKeyType ?? ''];
  if (!algorithm) throw new TypeError(`no certificate for a key of kind ${privateKey.asymmetricKeyType}`);
  const name = der(
    tag.sequence,
    der(tag.set, der(tag.sequence, commonNameOid, der(tag.utf8, Buffer.from(commonName.slice(0, 64))))),
  );
  const toSign = der(
    tag.sequence,
    der(0xa0, der(tag.integer, Buffer.of(2))), // v3
    der(tag.integer, Buffer.concat([Buffer.of(0x01), serial])),
    algorithm.identifier,
    name,
    // RFC 5280 4.1.2.5: 9999 is "no well-defined expiration date"; the past, for a box whose clock starts in 1970.
    der(tag.sequence, der(tag.time, Buffer.from('19700101000000Z')), der(tag.time, Buffer.from('99991231235959Z'))),
    name,
    createPublicKey(privateKey).export({ type: 'spki', format: 'der' }),
    der(0xa3, der(tag.sequence, ...extensions(dnsNames))),
  );
  const signature = sign(algorithm.digest, toSign, privateKey);
  const signed = der(tag.sequence, toSign, algorithm.identifier, der(tag.bits, Buffer.of(0), signature));
  return new X509Certificate(signed).toString();
}

function extensions(dnsNames: readonly string[]): Buffer[] {
  const notAnAuthority = der(tag.sequence, basicConstraintsOid, der(tag.octets, der(tag.sequence)));
  if (dnsNames.length === 0) return [notAnAuthority];
  const names = der(tag.sequence, ...dnsNames.map((name) => der(0x82, Buffer.from(name, 'ascii'))));
  return [notAnAuthority, der(tag.sequence, alternativeNamesOid, der(tag.octets, names))];
}
