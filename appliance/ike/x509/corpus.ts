import { decodeCertificate } from './certificate.ts';
import { namesOf } from './constraints.ts';
import { decodeRevocationList } from './crl.ts';
import { issue, issueList, newKey } from './issue.ts';
import { nameKey, nameText, parseName } from './name.ts';

/* Where fuzzing of certificates begins; `decode` is all that is done with octets of a peer before a signature is checked. */

const key = newKey('ed25519');
const full = issue(
  {
    ...{ subject: 'C=CH, O=Acme\\, Ltd, CN=gw+UID=7, E=a@b.example', key, ca: true, pathLength: 2, keyUsage: '86' },
    ...{ extendedKeyUsage: ['1.3.6.1.5.5.7.3.17'], dns: ['a.example'], emails: ['a@b.example'], addresses: ['::1'] },
    ...{ permittedDns: ['example'], excludedDns: ['b.example'] },
  },
  null,
);

export interface X509Sample {
  readonly name: string;
  readonly bytes: Uint8Array;
  decode(bytes: Uint8Array): unknown;
}

export const x509Corpus: readonly X509Sample[] = [
  { name: 'certificate', bytes: full.der, decode: (bytes) => namesOf(decodeCertificate(bytes)) },
  { name: 'revocation list', bytes: issueList(full, [1, 300, 70_000]), decode: decodeRevocationList },
  {
    name: 'distinguished name',
    bytes: parseName('DC=example, CN=Zürich, 2.5.4.65=x'),
    decode: (bytes) => [nameText(bytes), nameKey(bytes)],
  },
];
