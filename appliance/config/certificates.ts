import { X509Certificate } from 'node:crypto';

/** Certificates as PEM, one after the other; gives their DER. Services read this file too: no zod. @throws {TypeError} with a sentence */
export function certificatesOf(pem: string): Uint8Array[] {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  if (blocks.length === 0) throw new TypeError('expected certificates as PEM: -----BEGIN CERTIFICATE-----');
  return blocks.map((block) => {
    try {
      return new Uint8Array(new X509Certificate(block).raw);
    } catch {
      throw new TypeError('one of the certificates cannot be read');
    }
  });
}
