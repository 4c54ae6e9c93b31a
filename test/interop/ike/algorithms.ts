/** Every cipher, PRF and group that both have, in one world: an agreement each, all of them at once. */
import type { Bench, Row, Setup } from './bench.ts';
import type { Case, Version } from './cases.ts';
import { renew } from './life.ts';
import { describe, settled } from './views.ts';

const ciphers = {
  'aes-256-gcm-16': 'aes256gcm16',
  'aes-128-gcm-16': 'aes128gcm16',
  'chacha20-poly1305': 'chacha20poly1305',
};
const prfs = { 'hmac-sha2-256': 'prfsha256', 'hmac-sha2-384': 'prfsha384' };
const groups = ['x25519', 'ecp256'] as const;

interface Suite {
  readonly ike: keyof typeof ciphers;
  readonly esp: keyof typeof ciphers;
  readonly prf: keyof typeof prfs;
  readonly group: (typeof groups)[number];
  readonly mlkem: boolean;
}

const names = Object.keys(ciphers) as (keyof typeof ciphers)[];

/** Each IKE cipher with each PRF and group; ESP ciphers go round, so that each meets each group. */
function suites(version: Version): Suite[] {
  const classic = names.flatMap((ike, i) =>
    (Object.keys(prfs) as (keyof typeof prfs)[]).flatMap((prf, j) =>
      groups.map((group) => ({ ike, prf, group, esp: names[(i + j) % 3] ?? ike, mlkem: false })),
    ),
  );
  if (version === '5.9.8') return classic;
  return [...classic, ...names.map((ike, i) => ({ ...classic[4 * i], ike, esp: ike, mlkem: true }) as Suite)];
}

function rowOf({ ike, esp, prf, group, mlkem }: Suite, index: number): Row {
  const additional = { additionalKeyExchanges: [mlkem ? 'mlkem768' : 'none'] };
  const hybrid = mlkem ? '-ke1_mlkem768' : '';
  return {
    name: `${ciphers[ike]}-${prfs[prf]}-${group}${mlkem ? '-mlkem768' : ''}-esp-${ciphers[esp]}`,
    auth: index % 2 === 0 ? 'psk' : 'ed25519',
    moat: {
      ike: { ciphers: [ike], prfs: [prf], keyExchanges: [group], ...additional },
      esp: { ciphers: [esp], keyExchanges: [group], ...additional },
    },
    swan: {
      ikeProposal: `${ciphers[ike]}-${prfs[prf]}-${group}${hybrid}`,
      espProposal: `${ciphers[esp]}-${group}${hybrid}`,
    },
  };
}

/** First keys, then a rekey of the child and of the IKE SA, in which alone the child's group shows itself. */
export function algorithmCases(version: Version): Case[] {
  const rows = suites(version).map(rowOf);
  const setup: Setup = { name: 'algorithms', rows };
  return rows.map((row, i) => ({
    name: row.name,
    setup,
    play: async (bench: Bench) => {
      describe(await settled(bench, row.name));
      await bench.ping(i + 1);
      const by = i % 2 === 0 ? 'moat' : 'swan';
      await renew(bench, row.name, 'child', [by]);
      const seen = await renew(bench, row.name, 'ike', [by]);
      await bench.ping(i + 1);
      return `${row.auth}, ${describe(seen)}, rekeyed by ${by === 'moat' ? 'us' : 'it'}`;
    },
  }));
}
