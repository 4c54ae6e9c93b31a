/** What one end gives the other beside keys: addresses and DNS (RFC 7296 2.19), several child SAs. */
import { sleep } from '../../lab/processes.ts';
import { expect } from '../../lab/story.ts';
import { type Bench, childOf, type Setup } from './bench.ts';
import type { Case } from './cases.ts';
import { renew } from './life.ts';
import { settled } from './views.ts';

const addresses = { ipv4: '10.99.0.7', ipv6: 'fd99::7' };
const dns = '10.99.0.53';
const domain = 'lab.example';
/** INTERNAL_DNS_DOMAIN (RFC 8598 4), which strongSwan has no name for. */
const domainAttribute = 25;
const pools = `}
pools {
  lab {
    addrs = ${addresses.ipv4}/32
    dns = ${dns}
    ${domainAttribute} = ${domain}
  }
  lab6 {
    addrs = ${addresses.ipv6}/128
  }
`;
const both = Object.values(addresses);

const client: Setup = {
  name: 'address-taken',
  rows: [
    {
      name: 'taken',
      moat: { requests: ['ipv4', 'ipv6'] },
      swan: { lines: ['pools = lab, lab6'], secrets: pools },
    },
  ],
};
const gateway: Setup = {
  name: 'address-given',
  rows: [
    {
      name: 'given',
      moat: { assigns: { addresses: both, dns: [dns], domains: [domain] } },
      swan: { lines: ['vips = 0.0.0.0, ::'] },
    },
  ],
};

/** What strongSwan's own status says of addresses that were given: to it (`local`), or by it (`remote`). */
async function given(bench: Bench, whose: 'local' | 'remote'): Promise<string> {
  const raw = await bench.swan.swanctl('--list-sas', '--raw');
  const said = new RegExp(`${whose}-vips=\\[([^\\]]*)\\]`).exec(raw)?.[1] ?? '';
  expect(
    said.split(' ').toSorted().join() === both.toSorted().join(),
    `${whose}-vips=[${both.join(' ')}]`,
    said || raw,
  );
  return `it says ${whose}-vips=[${said}]`;
}

/** By either end; what was given stays. */
async function afterRekeys(bench: Bench, row: string, whose: 'local' | 'remote'): Promise<string> {
  for (const by of ['moat', 'swan'] as const) {
    const { ours } = await renew(bench, row, 'ike', [by]);
    expect(ours.assignment?.addresses.toSorted().join() === both.toSorted().join(), 'as before', ours.assignment);
  }
  return `after rekeys by both ${await given(bench, whose)}`;
}

/** strongSwan is the gateway and we are the client. */
export const takenCases: readonly Case[] = [
  {
    name: 'address',
    roles: ['called'],
    setup: client,
    play: async (bench) => {
      const { ours } = await settled(bench, 'taken');
      const { addresses: taken = [], dns: servers, domains } = ours.assignment ?? {};
      expect(taken.toSorted().join() === both.toSorted().join(), 'its addresses', ours.assignment);
      expect(servers?.join() === dns && domains?.join() === domain, 'its DNS and domain', ours.assignment);
      return given(bench, 'remote');
    },
  },
  {
    name: 'address-after-rekeys',
    roles: ['called'],
    setup: client,
    play: (bench) => afterRekeys(bench, 'taken', 'remote'),
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
      expect(ours.assignment?.addresses.join() === both.join(), 'the addresses are given', ours.assignment);
      return given(bench, 'local');
    },
  },
  {
    name: 'address-after-rekeys',
    roles: ['calls'],
    setup: gateway,
    play: (bench) => afterRekeys(bench, 'given', 'local'),
  },
];

const tickets: Setup = { name: 'tickets', rows: [{ name: 'tickets', moat: { resume: true } }] };

/** strongSwan gives no tickets and asks for none (RFC 5723): that we would like one is no reason for anything else to go wrong. */
export const ticketCases: readonly Case[] = [
  {
    name: 'no-ticket',
    setup: tickets,
    play: async (bench) => {
      await settled(bench, 'tickets');
      await bench.swan.terminate('ike', 'tickets');
      if (bench.role === 'calls') {
        await bench.moat.until('rid of the peer', ({ tunnel }) => tunnel?.peers[0]?.ike === null, 5000);
        await bench.swan.initiate('tickets', childOf('tickets'));
      }
      const { ours } = await settled(bench, 'tickets', undefined, 40_000);
      expect(!ours.resumed, 'a whole handshake', ours.resumed);
      return 'closed and made anew by a whole handshake';
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
