import { fileURLToPath } from 'node:url';
import { contentHash } from '../content.ts';
import { Flow, type FlowResult } from '../flow.ts';
import type { Moat } from '../moat.ts';
import { startMoats } from '../moat-pair.ts';
import { sleep } from '../processes.ts';
import type { Running } from '../running.ts';
import { expect, type Story } from '../story.ts';
import { addresses } from '../topology.ts';
import type { World } from '../world.ts';

const transferOctets = 160e6;
const rateMbit = 40;
/** The bars of the roaming tests: of what the kernel announces, and of what only silence tells. */
const announcedMs = 300;
const silentMs = 2000;

export const story: Story = {
  name: 'roam',
  summary:
    'address, NAT mapping and default router change in any order under a TCP transfer: it goes on, with the same IKE SA',
  async run({ world, step }) {
    const lab = await world({ nat: true, secondUplink: true });
    const { home, portal } = await startMoats(lab);
    await lab.internet.impair({ delayMs: 10, rateMbit });
    const before = await identity(home);
    const transfer = await startTransfer(lab);
    const place = new Place(lab);
    for (const kind of shuffled<Change>(['address', 'router', 'mapping', 'uplink'], 3)) {
      const { says, announced } = changes[kind];
      await step(says, async () => {
        const [up, down] = await flowsDuring(lab, () => changes[kind].act(place));
        const outages = [up, down].map(outageMs);
        expect(Math.max(...outages) < (announced ? announcedMs : silentMs), 'a short outage', { up, down });
        return `nothing for ${up.longestGapMs.toFixed(0)} ms up, ${down.longestGapMs.toFixed(0)} ms down; ${up.lost + down.lost} lost`;
      });
    }
    await step('the TCP transfer was there all the time and comes through, octet for octet', () => finished(transfer));
    await step('a stream to the home alone, which nobody answers: the mapping changes', async () => {
      const flow = await Flow.start(lab.corp, lab.pc, {
        target: addresses.pc.v4,
        octets: 500,
        rateMbit: 1,
        seconds: 4,
      });
      await sleep(1500);
      await place.remap();
      const result = await flow.finish();
      expect(outageMs(result) < silentMs, 'less than two seconds', result);
      return `nothing for ${result.longestGapMs.toFixed(0)} ms; ${result.lost} lost`;
    });
    await step('no IKE SA was made anew', async () => {
      expect((await identity(home)) === before, before, await identity(home));
      for (const moat of [home, portal]) {
        const closed = moat.log.split('\n').filter((line) => line.includes('ikeClosed'));
        expect(closed.length === 0, 'none closed', closed);
      }
      return before;
    });
  },
};

type Change = 'address' | 'router' | 'mapping' | 'uplink';

const changes: Record<Change, { says: string; announced: boolean; act: (place: Place) => Promise<void> }> = {
  address: { says: 'moat gets another address', announced: true, act: (place) => place.readdress() },
  router: { says: 'moat gets another default router', announced: true, act: (place) => place.reroute() },
  mapping: { says: 'the NAT in use forgets its mappings', announced: false, act: (place) => place.remap() },
  uplink: { says: 'the NAT in use gets another address', announced: false, act: (place) => place.redial() },
};

const routers = {
  'home-router': {
    device: 'wan',
    lan: addresses.homeRouterLan.v4,
    gateway: addresses.internetHome.v4,
    network: '203.0.113',
  },
  'other-router': {
    device: 'wan2',
    lan: addresses.otherRouterLan.v4,
    gateway: addresses.internetHome2.v4,
    network: '203.0.114',
  },
} as const;

/** Where moat is, and what can happen to it there. */
class Place {
  readonly #lab: World;
  #router: keyof typeof routers = 'home-router';
  #own: Record<keyof typeof routers, string> = {
    'home-router': addresses.moatHome.v4,
    'other-router': addresses.moatHome2.v4,
  };
  #outside: Record<keyof typeof routers, number> = { 'home-router': 10, 'other-router': 10 };
  #count = 0;

  constructor(lab: World) {
    this.#lab = lab;
  }

  /** As a DHCP client does it: the old one goes, the new one comes, and the route with it. */
  async readdress(): Promise<void> {
    const { device, lan } = routers[this.#router];
    const old = this.#own[this.#router];
    this.#count += 1;
    const fresh = old.replace(/\d+$/, `${100 + this.#count}`);
    this.#own[this.#router] = fresh;
    await this.#lab.moat.ip(
      `address del ${old}/24 dev ${device}`,
      `address add ${fresh}/24 dev ${device}`,
      `route replace default via ${lan}`,
    );
  }

  async reroute(): Promise<void> {
    this.#router = this.#router === 'home-router' ? 'other-router' : 'home-router';
    await this.#lab.moat.ip(`route replace default via ${routers[this.#router].lan}`);
  }

  /** Other ports from now on. Connections of a masquerade go when its address does, even if it comes back at once. */
  async remap(): Promise<void> {
    this.#count += 1;
    const first = 20_000 + 1000 * (this.#count % 30);
    await this.#lab.host(this.#router).nft(`flush table ip nat
table ip nat { chain postrouting {
  type nat hook postrouting priority srcnat;
  oifname "wan" meta l4proto udp masquerade to :${first}-${first + 999}
  oifname "wan" masquerade
}
}
`);
    await this.#dial(this.#outside[this.#router]);
  }

  async redial(): Promise<void> {
    this.#count += 1;
    await this.#dial(100 + this.#count);
  }

  async #dial(last: number): Promise<void> {
    const { network, gateway } = routers[this.#router];
    await this.#lab
      .host(this.#router)
      .ip(
        `address del ${network}.${this.#outside[this.#router]}/24 dev wan`,
        `address add ${network}.${last}/24 dev wan`,
        `route replace default via ${gateway}`,
      );
    this.#outside[this.#router] = last;
  }
}

const flowOptions = { octets: 250, rateMbit: 1 };
const packetsPerMs = (flowOptions.rateMbit * 1000) / 8 / flowOptions.octets;

/** A flow that never came back has no gap, but its packets are missing. */
function outageMs({ longestGapMs, lost }: FlowResult): number {
  return Math.max(longestGapMs, lost / packetsPerMs);
}

async function flowsDuring(lab: World, act: () => Promise<void>): Promise<[FlowResult, FlowResult]> {
  const options = { ...flowOptions, seconds: 2.5 };
  const up = await Flow.start(lab.pc, lab.corp, { ...options, target: addresses.corp.v4 });
  const down = await Flow.start(lab.corp, lab.pc, { ...options, target: addresses.pc.v4, port: 5001 });
  await sleep(600);
  await act();
  return Promise.all([up.finish(), down.finish()]);
}

/** Each so many times, in an order that is by chance and always the same. */
function shuffled<Item>(items: readonly Item[], times: number): Item[] {
  const all = Array.from({ length: times }, () => items).flat();
  return all
    .map((item, i) => ({ item, rank: Math.imul(i + 1, 2_654_435_761) >>> 0 }))
    .sort((a, b) => a.rank - b.rank)
    .map(({ item }) => item);
}

async function identity(moat: Moat): Promise<string> {
  const { ike } = await moat.peer();
  return `IKE SA ${ike?.spiInitiator} ${ike?.spiResponder}`;
}

const transferScript = fileURLToPath(new URL('../transfer.ts', import.meta.url));

async function startTransfer({ pc }: World): Promise<Running> {
  const url = `http://${addresses.corp.v4}/bytes/${transferOctets}?seed=roam`;
  const running = pc.start('transfer', [process.execPath, transferScript, url]);
  await running.line(/started/);
  return running;
}

async function finished(transfer: Running): Promise<string> {
  expect(!transfer.hasExited, 'it still runs after the last change', 'it has ended');
  const result = JSON.parse(await transfer.line(/octets/, 120_000)) as {
    sha256: string;
    longestStallMs: number;
    seconds: number;
  };
  expect(result.sha256 === contentHash('roam', transferOctets), 'the same octets', result);
  const { longestStallMs, seconds } = result;
  expect(longestStallMs < silentMs, 'no stall of two seconds', result);
  return `${transferOctets / 1e6} MB in ${seconds.toFixed(0)} s, longest stall ${longestStallMs.toFixed(0)} ms`;
}
