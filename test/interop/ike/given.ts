/** What one end gives the other beside keys: addresses and DNS (RFC 7296 2.19), several child SAs. */
import { sleep } from '../../lab/processes.ts';
import { expect } from '../../lab/story.ts';
import type { Bench, Setup } from './bench.ts';
import type { Case } from './cases.ts';
import { settled } from './views.ts';

const address = '10.99.0.7';
const dns = '10.99.0.53';
const pools = `}\npools {\n  lab {\n    addrs = ${address}/32\n    dns = ${dns}\n  }\n`;

const client: Setup = {
  name: 'address-taken',
  rows: [{ name: 'taken', moat: { requests: ['ipv4'] }, swan: { lines: ['pools = lab'], secrets: pools } }],
};
const gateway: Setup = {
  name: 'address-given',
  rows: [
    {
      name: 'given',
      moat: { assigns: { addresses: [address], dns: [dns], domains: ['lab.example'] } },
      swan: { lines: ['vips = 0.0.0.0'] },
    },
  ],
};

/** What strongSwan's own status says of addresses that were given: to it (`local`), or by it (`remote`). */
async function given(bench: Bench, whose: 'local' | 'remote'): Promise<string> {
  const raw = await bench.swan.swanctl('--list-sas', '--raw');
  const said = new RegExp(`${whose}-vips=\\[([^\\]]*)\\]`).exec(raw)?.[1];
  expect(said === address, `${whose}-vips=[${address}]`, said ?? raw);
  return `it says ${whose}-vips=[${said}]`;
}

/** strongSwan is the gateway and we are the client. */
export const takenCases: readonly Case[] = [
  {
    name: 'address',
    roles: ['called'],
    setup: client,
    play: async (bench) => {
      const { ours } = await settled(bench, 'taken');
      expect(ours.assignment?.addresses.join() === address, 'its address', ours.assignment);
      expect(ours.assignment?.dns.join() === dns, 'its DNS', ours.assignment);
      return given(bench, 'remote');
    },
  },
];

/** strongSwan is the client. */
export const givenCases: readonly Case[] = [
  {
    name: 'address',
    roles: ['calls'],
    setup: gateway,
    play: async (bench) => {
      const { ours } = await settled(bench, 'given');
      expect(ours.assignment?.addresses.join() === address, 'the address is given', ours.assignment);
      return given(bench, 'local');
    },
  },
];

const several: Setup = {
  name: 'children',
  rows: [
    { name: 'several', moat: { children: [{ remote: ['10.91.1.0/24[tcp]'] }, { remote: ['10.91.1.0/24[17/53]'] }] } },
  ],
};

/** A child SA for each of our policies, narrowed by strongSwan from the one that it has. */
export const severalCases: readonly Case[] = [
  {
    name: 'several',
    roles: ['called'],
    setup: several,
    play: async (bench) => {
      const remote = await until(bench, (sas) => {
        const networks = sas.flatMap(({ children }) => children.flatMap(({ localNetworks }) => localNetworks));
        return networks.length === 2 ? networks : null;
      });
      expect(remote.toSorted().join() === '10.91.1.0/24[17/53],10.91.1.0/24[6]', 'a child for each', remote);
      return remote.join(' and ');
    },
  },
];

async function until<Found>(
  bench: Bench,
  look: (sas: Awaited<ReturnType<Bench['swan']['listSas']>>) => Found | null,
): Promise<Found> {
  for (let tries = 0; tries < 100; tries += 1) {
    const found = look(await bench.swan.listSas());
    if (found !== null) return found;
    await sleep(100);
  }
  throw new Error(`strongSwan has ${JSON.stringify(await bench.swan.listSas())}`);
}
