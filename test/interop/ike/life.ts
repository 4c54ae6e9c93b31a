/** Rekeys and deletes by either end, and by both at the same moment. */
import { readFileSync } from 'node:fs';
import { expect } from '../../lab/story.ts';
import { type Bench, childOf, type Row, type Setup } from './bench.ts';
import type { Case, Version } from './cases.ts';
import { describe, settled, type View } from './views.ts';

type End = 'moat' | 'swan';
const ends: readonly (readonly End[])[] = [['moat'], ['swan'], ['moat', 'swan']];
const says = (by: readonly End[]) => (by.length === 2 ? 'both at once' : by[0] === 'moat' ? 'us' : 'it');

/** The losers of a collision may wait a minute for the other end's DELETE. */
const collisionMs = 75_000;

/** Has the ends named begin a rekey, and waits for what both say is new. */
export async function renew(bench: Bench, row: string, what: 'child' | 'ike', by: readonly End[]): Promise<View> {
  const before = await settled(bench, row);
  const begin = {
    moat: () => bench.moat.rekey(what, row),
    swan: () => bench.swan.rekey(what, row, childOf(row)),
  };
  await Promise.all(by.map((end) => begin[end]()));
  const isNew = ({ theirs, theirChild }: View) =>
    what === 'ike' ? theirs.initiatorSpi !== before.theirs.initiatorSpi : theirChild.spiIn !== before.theirChild.spiIn;
  return settled(bench, row, isNew, by.length === 2 ? collisionMs : undefined);
}

const hybridProposals = {
  ikeProposal: 'aes256gcm16-prfsha256-x25519-ke1_mlkem768',
  espProposal: 'aes256gcm16-x25519-ke1_mlkem768',
};

/** Our defaults against what each strongSwan has best. */
export function bestRow(version: Version, name: string, auth: Row['auth'] = 'ed25519'): Row {
  return { name, auth, swan: version === '6.1.0' ? hybridProposals : {} };
}

/** A rekey by both ends proves nothing unless they really crossed. */
function collisions(bench: Bench): number {
  return readFileSync(bench.swan.process.log, 'utf8').match(/collision|colliding/gi)?.length ?? 0;
}

/** When its program starts late, one rekey is over before the other begins: again, then. */
async function collide(bench: Bench, what: 'child' | 'ike'): Promise<View> {
  for (let tries = 0; tries < 5; tries += 1) {
    const before = collisions(bench);
    const seen = await renew(bench, 'rekeys', what, ['moat', 'swan']);
    if (collisions(bench) > before) return seen;
  }
  throw new Error('the rekeys of both ends never crossed');
}

export function rekeyCases(version: Version): Case[] {
  const setup: Setup = {
    name: 'rekeys',
    rows: [bestRow(version, 'rekeys')],
    // So long a way that what both begin at once really crosses.
    prepare: ({ lab }) => lab.internet.impair({ delayMs: 150 }).then(() => undefined),
  };
  return (['child', 'ike'] as const).flatMap((what) =>
    ends.map((by) => ({
      name: `rekey-${what}-by-${by.join('-and-')}`,
      setup,
      play: async (bench: Bench) => {
        const began = performance.now();
        const seen = by.length === 2 ? await collide(bench, what) : await renew(bench, 'rekeys', what, by);
        const took = performance.now() - began;
        await bench.ping(1);
        return `${what} by ${says(by)} in ${took.toFixed(0)} ms, ${describe(seen)}`;
      },
    })),
  );
}

const deletes: Setup = { name: 'deletes', rows: [{ name: 'deletes', auth: 'psk' }] };

/** A home that has lost its tunnel makes it anew; a portal waits to be called again. */
async function restored(bench: Bench, wasIke: boolean): Promise<string> {
  if (bench.role === 'calls') {
    if (wasIke) await bench.moat.until('rid of the peer', ({ tunnel }) => tunnel?.peers[0]?.ike === null, 5000);
    await bench.swan.initiate('deletes', childOf('deletes'));
  }
  const seen = await settled(bench, 'deletes', undefined, 40_000);
  await bench.ping(1);
  return describe(seen);
}

export const deleteCases: readonly Case[] = [
  {
    name: 'delete-child-by-swan',
    setup: deletes,
    play: async (bench) => {
      const before = await settled(bench, 'deletes');
      await bench.swan.terminate('child', 'deletes', childOf('deletes'));
      const after = await restored(bench, false);
      const { theirs } = await settled(bench, 'deletes');
      expect(theirs.initiatorSpi === before.theirs.initiatorSpi, 'the same IKE SA', theirs.initiatorSpi);
      return `a new child in the same IKE SA, ${after}`;
    },
  },
  {
    name: 'delete-ike-by-swan',
    setup: deletes,
    play: async (bench) => {
      await settled(bench, 'deletes');
      await bench.swan.terminate('ike', 'deletes');
      return restored(bench, true);
    },
  },
  {
    name: 'delete-ike-by-moat',
    setup: deletes,
    play: async (bench) => {
      await settled(bench, 'deletes');
      await bench.moat.stop();
      const left = await bench.swan.listSas();
      expect(left.length === 0, 'strongSwan has no SA left', left);
      await bench.startMoat();
      await bench.connect();
      return `it has no SA left; called again, ${describe(await settled(bench, 'deletes'))}`;
    },
  },
];

const childless: Setup = {
  name: 'childless',
  rows: [{ name: 'childless', moat: { childless: true }, swan: { lines: ['childless = force'] } }],
};

/** The IKE SA first, its child by CREATE_CHILD_SA (RFC 6023): then the first child already has a key exchange of its own. */
export const childlessCases: readonly Case[] = [
  {
    name: 'childless',
    setup: childless,
    play: async (bench) => {
      const seen = await settled(bench, 'childless');
      expect(seen.theirChild.keyExchange !== '', 'a first child with a key exchange of its own', seen.theirChild);
      await bench.ping(1);
      return describe(await renew(bench, 'childless', 'ike', ['swan']));
    },
  },
];
