/** REDIRECT (RFC 5685): a second gateway of the same identity stands at `portal2`, and who calls is sent there. */
import { Moat } from '../../lab/moat.ts';
import { sleep } from '../../lab/processes.ts';
import { expect } from '../../lab/story.ts';
import { StrongSwan } from '../strongswan.ts';
import type { PeerIkeSa } from '../swanctl-sas.ts';
import { addLoopback, type Bench, behindMoat, behindSwan, childOf, type Setup } from './bench.ts';
import type { Case } from './cases.ts';
import { settled } from './views.ts';

const name = 'redirect';
const patienceMs = 20_000;

/** Waits until strongSwan has one IKE SA with a child, and that one with the gateway at `address`. */
async function arrived(swan: StrongSwan, address: string): Promise<PeerIkeSa> {
  const deadline = performance.now() + patienceMs;
  while (true) {
    const sas = await swan.listSas();
    const there = sas.find(
      ({ state, remoteAddress, children }) =>
        state === 'ESTABLISHED' && remoteAddress === address && children.some((child) => child.state === 'INSTALLED'),
    );
    if (there && sas.length === 1) return there;
    const seen = sas.map(({ state, remoteAddress }) => `${state} with ${remoteAddress}`);
    if (performance.now() > deadline) throw new Error(`strongSwan is not at ${address}: ${seen.join(', ') || 'no SA'}`);
    await sleep(100);
  }
}

const first = ({ lab }: Bench) => lab.addresses.portal.v4;
const second = ({ lab }: Bench) => lab.addresses.portal2.v4;

const started = new WeakMap<Bench, Promise<void>>();

/** Once for all cases of a bench. */
function secondPortal(bench: Bench): Promise<void> {
  const running = started.get(bench) ?? startSecond(bench);
  started.set(bench, running);
  return running;
}

async function startSecond(bench: Bench): Promise<void> {
  const host = bench.lab.host('portal2');
  await addLoopback(host, [behindMoat.address]);
  await Moat.start(host, { config: bench.config() });
}

async function callAnew({ swan }: Bench): Promise<void> {
  await swan.terminate('ike', name);
  // It is told no, and follows; that its own call came to nothing is then no failure.
  await swan.initiate(name, childOf(name)).catch(() => undefined);
}

const ourPortal: Setup = { name: 'redirect', rows: [{ name }], world: { second: true } };
const theirPortal: Setup = { name: 'redirected', rows: [{ name }], world: { second: true } };

export const redirectCases: readonly Case[] = [
  {
    name: 'redirect-established',
    setup: ourPortal,
    roles: ['calls'],
    play: async (bench) => {
      await settled(bench, name);
      await secondPortal(bench);
      await bench.moat.reconfigure(bench.config({ redirectTo: second(bench) }));
      const { remoteAddress } = await arrived(bench.swan, second(bench));
      return `its SA was established with ${first(bench)}; it says it is with ${remoteAddress} now`;
    },
  },
  {
    name: 'redirect-in-init',
    setup: ourPortal,
    roles: ['calls'],
    play: async (bench) => {
      await secondPortal(bench);
      await bench.moat.reconfigure(bench.config({ redirectTo: second(bench) }));
      await callAnew(bench);
      const { remoteAddress } = await arrived(bench.swan, second(bench));
      return `it called ${first(bench)} and says it is with ${remoteAddress}`;
    },
  },
  {
    name: 'redirect-in-auth',
    setup: ourPortal,
    // 5.9.8 dies of it: "free(): double free detected".
    versions: ['6.1.0'],
    roles: ['calls'],
    play: async (bench) => {
      await secondPortal(bench);
      await bench.moat.reconfigure(bench.config({}, { redirectTo: second(bench) }));
      await callAnew(bench);
      const { remoteAddress } = await arrived(bench.swan, second(bench));
      return `it called ${first(bench)} and says it is with ${remoteAddress}`;
    },
  },
  {
    name: 'redirected-by-swan',
    setup: theirPortal,
    roles: ['called'],
    play: async (bench) => {
      await settled(bench, name);
      const host = bench.lab.host('portal2');
      await addLoopback(host, [behindSwan(1).address]);
      const other = await StrongSwan.start(host, bench.connections(), { recipe: bench.recipe });
      await bench.swan.swanctl('--redirect', '--ike', name, '--gateway', second(bench));
      const deadline = performance.now() + patienceMs;
      while ((await other.listSas()).every(({ state }) => state !== 'ESTABLISHED')) {
        if (performance.now() > deadline) throw new Error('nobody has called the second strongSwan');
        await sleep(100);
      }
      const { ike } = await bench.moat.peer(name);
      expect(ike?.path.remote.address === second(bench), 'we are with the second', ike?.path);
      expect((await bench.swan.listSas()).length === 0, 'the first has nothing left', await bench.swan.listSas());
      return `the second strongSwan says ESTABLISHED; we are at ${ike?.path.remote.address}`;
    },
  },
];
