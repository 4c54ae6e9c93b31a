import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { decodeCertificate } from './certificate.ts';
import { decodeRevocationList } from './crl.ts';
import { checkChain } from './path.ts';

/* NIST's own chains; what the name of a certificate says has to come out. */

interface Suite {
  readonly at: string;
  readonly anchor: string;
  /** By name, in base64. */
  readonly octets: Readonly<Record<string, string>>;
  readonly tests: readonly { readonly leaf: string; readonly intermediates: string[]; readonly lists: string[] }[];
}

const suite: Suite = JSON.parse(readFileSync(new URL('vectors/pkits.json', import.meta.url), 'utf8'));
const octets = (name: string) => new Uint8Array(Buffer.from(suite.octets[name] ?? '', 'base64'));
const anchor = decodeCertificate(octets(suite.anchor));

for (const { leaf, intermediates, lists } of suite.tests) {
  test(leaf.replace('.crt', ''), () => {
    const chain = {
      leaf: decodeCertificate(octets(leaf)),
      intermediates: intermediates.map((name) => decodeCertificate(octets(name))),
    };
    const known = lists.map((name) => decodeRevocationList(octets(name)));
    const trusted = { anchors: [anchor], lists: known, revocation: 'required' } as const;
    const refusal = checkChain(chain, trusted, Date.parse(suite.at));
    assert.equal(refusal === null, leaf.startsWith('Valid'), JSON.stringify(refusal));
  });
}
