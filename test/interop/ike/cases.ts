/** What is played against each strongSwan, in each role. A case is a name, the setup that it needs, and what happens in it. */
import { algorithmCases } from './algorithms.ts';
import type { Bench, Role, Setup } from './bench.ts';
import { givenCases, severalCases, takenCases, ticketCases } from './given.ts';
import { childlessCases, deleteCases, rekeyCases } from './life.ts';
import { fragmentCases, moveCases, restartCases } from './path.ts';
import { certificateCases, ppkCases } from './proofs.ts';
import { redirectCases } from './redirects.ts';

export type Version = '5.9.8' | '6.1.0';

export interface Case {
  readonly name: string;
  /** Cases of one setup that follow each other share it. */
  readonly setup: Setup;
  /** All when left out. */
  readonly versions?: readonly Version[];
  readonly roles?: readonly Role[];
  /** Says what the peer said; throws what is wrong. */
  readonly play: (bench: Bench) => Promise<string>;
}

export function casesFor(version: Version, role: Role): Case[] {
  const all = [
    ...algorithmCases(version),
    ...rekeyCases(version),
    ...certificateCases,
    ...ppkCases,
    ...childlessCases,
    ...takenCases,
    ...givenCases,
    ...severalCases,
    ...ticketCases,
    ...deleteCases,
    ...redirectCases,
    ...moveCases,
    ...restartCases,
    ...fragmentCases(version),
  ];
  return all.filter(({ versions, roles }) => (versions?.includes(version) ?? true) && (roles?.includes(role) ?? true));
}
