/** Certificates of an authority that strongSwan's own tool makes, and post-quantum pre-shared keys. */
import { createPrivateKey } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { must } from '../../lab/processes.ts';
import { expect } from '../../lab/story.ts';
import { root } from '../roots.ts';
import { strongswan610 } from '../strongswan.ts';
import { type Amendment, type Bench, moatId, type Row, type Setup, swanId } from './bench.ts';
import type { Case } from './cases.ts';
import { renew } from './life.ts';
import { describe, provenBy, settled } from './views.ts';

/** Kinds of keys as `pki --gen` has them, and strongSwan's name of the proof that we give with such a key. */
const kinds = {
  'rsa-2048': { words: '--type rsa --size 2048', proof: /^RSA_EMSA_PSS_SHA2/ },
  'rsa-4096': { words: '--type rsa --size 4096', proof: /^RSA_EMSA_PSS_SHA2/ },
  'ecdsa-256': { words: '--type ecdsa --size 256', proof: /^ECDSA/ },
  'ecdsa-384': { words: '--type ecdsa --size 384', proof: /^ECDSA/ },
  ed25519: { words: '--type ed25519', proof: /^ED25519/ },
} as const;

interface Issued {
  readonly privateKeyPem: string;
  readonly certificatePem: string;
}

/** An authority in a folder, with strongSwan's `pki` in its root for hands. */
class Authority {
  readonly #folder: string;
  readonly #words: string;

  constructor(folder: string, words: string) {
    this.#folder = folder;
    this.#words = words;
  }

  async found(): Promise<string> {
    await this.#pki(
      `pki --gen ${this.#words} --outform pem >ca.key
       pki --self --ca --in ca.key --type priv --dn 'C=CH, O=lab, CN=authority' --outform pem >ca.pem`,
    );
    return this.#text('ca.pem');
  }

  async issue(name: string): Promise<Issued> {
    await this.#pki(
      `pki --gen ${this.#words} --outform pem >${name}.key
       pki --issue --cacert ca.pem --cakey ca.key --in ${name}.key --type priv --dn 'C=CH, CN=${name}' --san ${name} --flag serverAuth --outform pem >${name}.pem`,
    );
    const key = createPrivateKey(this.#text(`${name}.key`)).export({ type: 'pkcs8', format: 'pem' });
    return { privateKeyPem: key.toString(), certificatePem: this.#text(`${name}.pem`) };
  }

  #text(name: string): string {
    return readFileSync(join(this.#folder, name), 'utf8');
  }

  /** In the root, over a mount of the folder that goes with the command. */
  async #pki(script: string): Promise<void> {
    const inside = `cd /mnt && set -e\n${script}`;
    const outside = 'mount --bind "$2" "$1/mnt" && mount --rbind /dev "$1/dev" && exec chroot "$1" sh -c "$3"';
    const place = await root(strongswan610);
    await must(['unshare', '--mount', 'sh', '-ec', outside, 'sh', place, this.#folder, inside]);
  }
}

async function issueBoth(bench: Bench, words: string): Promise<Amendment> {
  const authority = new Authority(bench.lab.temporary, words);
  const authorityPem = await authority.found();
  const ours = await authority.issue(moatId);
  const theirs = new Map<string, Issued>();
  for (const row of bench.setup.rows) theirs.set(row.name, await authority.issue(swanId(row)));
  const file = (name: string, text: string) => {
    const path = join(bench.lab.temporary, name);
    writeFileSync(path, text, { mode: 0o600 });
    return path;
  };
  return {
    identity: {
      certificate: {
        chainFile: file('moat-chain.pem', ours.certificatePem),
        privateKeyFile: file('moat-certificate.key', ours.privateKeyPem),
      },
    },
    moat: { x509: { authorityFiles: [join(bench.lab.temporary, 'ca.pem')] } },
    swan: ({ name }) => {
      const issued = theirs.get(name);
      return issued ? { credentials: { kind: 'x509', ...issued, authorityPem } } : {};
    },
  };
}

export const certificateCases: readonly Case[] = Object.entries(kinds).map(([kind, { words, proof }]) => {
  const name = `x509-${kind}`;
  const setup: Setup = { name, rows: [{ name, auth: 'x509' }], prepare: (bench) => issueBoth(bench, words) };
  return {
    name,
    setup,
    play: async (bench: Bench) => {
      const seen = describe(await settled(bench, name));
      const said = await provenBy(bench);
      expect(proof.test(said), `${proof}`, said);
      await bench.ping(1);
      await renew(bench, name, 'ike', ['swan']);
      await bench.ping(1);
      return `${said}; ${seen}`;
    },
  };
});

const ppkId = 'lab-ppk';
const ppkSecret = 'thirty-two octets of chance, or more of them';
const ppkSecrets = `  ppk-lab {\n    id = ${ppkId}\n    secret = "${ppkSecret}"\n  }\n`;

/** With ML-KEM left out: a PPK is for peers that do not have it. */
const classic = { ike: { additionalKeyExchanges: ['none'] }, esp: { additionalKeyExchanges: ['none'] } };

type PpkRow = Row & { readonly mixed: boolean };

const withPpk: readonly PpkRow[] = [
  {
    name: 'ppk-required',
    mixed: true,
    moat: { ...classic, ppk: { id: ppkId, secret: ppkSecret, required: true } },
    swan: { lines: [`ppk_id = ${ppkId}`, 'ppk_required = yes'], secrets: ppkSecrets },
  },
  {
    name: 'ppk-optional',
    mixed: true,
    auth: 'psk',
    moat: { ...classic, ppk: { id: ppkId, secret: ppkSecret } },
    swan: { lines: [`ppk_id = ${ppkId}`], secrets: ppkSecrets.replace('ppk-lab', 'ppk-again') },
  },
];
/** In a world of its own: strongSwan's PPKs are for all its connections. */
const withoutPpk: readonly PpkRow[] = [
  { name: 'ppk-peer-without', mixed: false, moat: { ...classic, ppk: { id: ppkId, secret: ppkSecret } } },
];

async function playPpk(bench: Bench, { name, mixed }: PpkRow, number: number): Promise<string> {
  const seen = await settled(bench, name);
  const said = describe(seen);
  expect(seen.theirs.ppk === mixed, mixed ? 'strongSwan mixed the PPK' : 'no PPK', seen.theirs);
  expect((seen.ours.quantumSafe === 'ppk') === mixed, mixed ? 'so did we' : 'nor did we', seen.ours);
  await bench.ping(number);
  const after = await renew(bench, name, 'ike', ['moat']);
  await bench.ping(number);
  expect(after.theirs.ppk === mixed, 'the same after a rekey', after.theirs);
  return `ppk ${mixed ? 'mixed in' : 'not used'}; ${said}`;
}

export const ppkCases: readonly Case[] = [
  { name: 'ppk', rows: withPpk },
  { name: 'ppk-without', rows: withoutPpk },
].flatMap((setup) =>
  setup.rows.map((row, i) => ({ name: row.name, setup, play: (bench: Bench) => playPpk(bench, row, i + 1) })),
);
