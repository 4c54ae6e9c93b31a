import type { Capture } from '../capture.ts';
import { buildAddon, Moat, type MoatConfig } from '../moat.ts';
import { homeConfig, newCredentials, portalConfig } from '../moat-pair.ts';
import type { CapturedPacket } from '../pcap.ts';
import { probePort } from '../probe-agent.ts';
import { Prober } from '../prober.ts';
import { sleep } from '../processes.ts';
import { expect, type Stage, type Story } from '../story.ts';
import { addresses } from '../topology.ts';
import type { World } from '../world.ts';

type Place = 'pc' | 'kids' | 'wild' | 'corp' | 'box';
type Protocol = 'tcp' | 'udp' | 'icmp';
type Family = 'v4' | 'v6';

const protocols: readonly Protocol[] = ['tcp', 'udp', 'icmp'];
const families: readonly Family[] = ['v4', 'v6'];
const places: readonly Exclude<Place, 'box'>[] = ['pc', 'kids', 'wild', 'corp'];

/** A cell of the table of ordered pairs: who asks what of whom, at which of its addresses. */
interface Cell {
  readonly from: Place;
  readonly to: Place;
  readonly at: { readonly v4: string; readonly v6: string };
  readonly allowed: (protocol: Protocol, family: Family) => boolean;
}

const never = () => false;
const always = () => true;
const pings = (protocol: Protocol) => protocol === 'icmp';

function cellsOf(extra: Partial<Record<string, Cell['allowed']>> = {}): Cell[] {
  const { pc, kids, internetHome, corp, moatLan, moatKids, moatDirect } = addresses;
  const at = { pc, kids, wild: internetHome, corp };
  const open: Record<string, Cell['allowed']> = {
    'pc corp': always,
    'corp pc': always,
    'kids wild': always,
    'box pc': always,
    'box kids': always,
    'box wild': always,
    'box corp': always,
    ...(extra as Record<string, Cell['allowed']>),
  };
  const between = [...places, 'box' as const].flatMap((from) =>
    places
      .filter((to) => to !== from)
      .map((to): Cell => ({ from, to, at: at[to], allowed: open[`${from} ${to}`] ?? never })),
  );
  const own = { pc: moatLan, kids: moatKids, corp: moatLan } as Partial<Record<Place, Cell['at']>>;
  const box = places.flatMap((from) =>
    [moatLan, moatKids, moatDirect].map((address): Cell => {
      return { from, to: 'box', at: address, allowed: own[from] === address ? pings : never };
    }),
  );
  return [...between, ...box];
}

export const story: Story = {
  name: 'zones',
  summary: 'every ordered pair of wild, work, kids, the company and the box: TCP, UDP and ICMP over both families',
  async run({ world, step }) {
    const lab = await world({ kids: true });
    await buildAddon();
    const credentials = newCredentials();
    const base = withZones(homeConfig(lab, credentials));
    const portal = await Moat.start(lab.portal, { config: portalZones(portalConfig(lab, credentials)) });
    const home = await Moat.start(lab.moat, { config: base });
    await Promise.all([home.up(), portal.up()]);
    const table = await Table.start(lab);
    await routesOutside(lab);

    await step('before: every cell is as the table says', () => table.check(cellsOf()));
    const opened = {
      ...base,
      policy: [
        {
          from: 'work',
          to: 'wild',
          destinations: [`${addresses.internetHome.v4}/32`],
          protocol: 'tcp',
          ports: [probePort],
        },
        { from: 'work', to: 'kids', protocol: 'udp' },
      ],
    };
    const cells = cellsOf({
      'pc wild': (protocol, family) => protocol === 'tcp' && family === 'v4',
      'pc kids': (protocol) => protocol === 'udp',
    });
    await step('a policy opens two pairs, and nothing else', async () => {
      await reconfigured(home, opened);
      return table.check(cells);
    });
    await step('it is taken back, and what was open is shut at once', async () => {
      await reconfigured(home, base);
      return table.check(cellsOf());
    });
    await step('while policies change and services are killed, nothing forbidden passes', () =>
      table.during(cellsOf({ 'pc wild': always, 'pc kids': always }), async () => {
        for (let round = 0; round < 6; round += 1) {
          await reconfigured(home, round % 2 === 0 ? opened : base);
          for (const { pid } of (await home.status()).services) if (pid !== null) process.kill(pid, 'SIGKILL');
          await sleep(1000);
        }
      }),
    );
    await home.up();
    await step('and afterwards every cell is as before', async () => table.check(cellsOf()));
    await wildSide({ world, step }, lab, home);
  },
};

async function wildSide({ step }: Stage, lab: World, home: Moat): Promise<void> {
  await step('the wild side uses a network of the company: nothing of the company leaves in the clear', async () => {
    const capture = await lab.internet.capture('home', 'not udp port 500 and not udp port 4500');
    // What a hostile router hands out (TunnelCrack, "LocalNet"): a more specific way to the company, by the wild side.
    await lab.moat.ip('address add 10.1.0.200/24 dev wan', 'route replace fd01:1::/80 via 2001:db8:113::1 dev wan');
    const answers = await Promise.all([
      lab.pc.ping(addresses.corp.v4, { wait: 300 }),
      lab.moat.ping(addresses.corp.v6, { wait: 300 }),
    ]);
    await lab.moat.ip('address del 10.1.0.200/24 dev wan', 'route del fd01:1::/80 dev wan');
    expect(answers[0]?.received === 3, 'the tunnel to go on', answers);
    const leaked = (await capture.stop()).filter(isInner);
    expect(leaked.length === 0, 'no packet of the company on the wild side', leaked.map(describe));
    return `${answers.map(({ received }) => received)} answers, 0 packets in the clear`;
  });
  await step('the overlap was noticed within a second, and said', async () => {
    await lab.moat.ip('address add 10.1.0.200/24 dev wan');
    const began = performance.now();
    await home.until('told', ({ problems }) => problems.some((text) => /overlaps 10\.1\.0\.0\/16/.test(text)), 2000);
    const took = performance.now() - began;
    await lab.moat.ip('address del 10.1.0.200/24 dev wan');
    await home
      .until('well again', ({ problems }) => problems.length === 0, 3000)
      .catch(async () => {
        throw new Error(`not well again: ${(await home.status()).problems.join(' ')}`);
      });
    return `${Math.round(took)} ms`;
  });
}

/** Who is outside knows the ways in, or "nothing came in" would prove nothing. */
async function routesOutside({ internet }: World): Promise<void> {
  const { moatDirect, portal } = addresses;
  await internet.ip(
    ...['10.77.1.0/24', '10.77.2.0/24'].map((network) => `route add ${network} via ${moatDirect.v4}`),
    ...['fd77:1::/64', 'fd77:2::/64'].map((network) => `route add ${network} via ${moatDirect.v6}`),
    `route add 10.1.0.0/16 via ${portal.v4}`,
    `route add fd01:1::/64 via ${portal.v6}`,
  );
}

async function reconfigured(home: Moat, config: MoatConfig): Promise<void> {
  const { code, stderr } = await home.reconfigure(config);
  expect(code === 0, 'moat reload to succeed', stderr);
}

function withZones(config: MoatConfig): MoatConfig {
  const { moatLan, moatKids } = addresses;
  const own = ({ v4, v6 }: { v4: string; v6: string }) => [`${v4}/24`, `${v6}/64`];
  return {
    ...config,
    zones: [
      { name: 'wild', kind: 'wild', interface: 'wan' },
      { name: 'work', kind: 'work', interface: 'lan', addresses: own(moatLan) },
      { name: 'kids', kind: 'kids', interface: 'kids', addresses: own(moatKids) },
    ],
    dns: { listen: [{ address: moatLan.v4 }], clients: ['10.77.1.0/24'] },
  };
}

/** Without zones the portal would send what the company says to anybody else into the clear. */
function portalZones(config: MoatConfig): MoatConfig {
  const { v4, v6 } = addresses.portalCorp;
  return {
    ...config,
    zones: [
      { name: 'wild', kind: 'wild', interface: 'wan' },
      { name: 'corp', kind: 'work', interface: 'corp', addresses: [`${v4}/16`, `${v6}/64`] },
    ],
  };
}

/** Probes cells, and sees by captures what arrived whether or not it was answered. */
class Table {
  readonly #probers: ReadonlyMap<Place, Prober>;
  readonly #world: World;

  private constructor(world: World, probers: ReadonlyMap<Place, Prober>) {
    this.#world = world;
    this.#probers = probers;
  }

  static async start(world: World): Promise<Table> {
    const hosts = { pc: world.pc, kids: world.host('kids'), wild: world.internet, corp: world.corp, box: world.moat };
    const started = Object.entries(hosts).map(
      async ([place, host]) => [place as Place, await Prober.start(host)] as const,
    );
    return new Table(world, new Map(await Promise.all(started)));
  }

  /** Every cell: allowed ones are answered, and of forbidden ones no packet arrives. */
  async check(cells: readonly Cell[]): Promise<string> {
    const captures = await this.#captures();
    const wrong = (await Promise.all(cells.map((cell) => this.#ask(cell)))).flat();
    const forbidden = await arrivals(captures, cells);
    expect(wrong.length === 0, 'every cell as the table says', wrong);
    expect(forbidden.length === 0, 'no forbidden packet', forbidden);
    const probes = cells.length * protocols.length * families.length;
    return `${cells.length} cells, ${probes} probes, 0 forbidden packets`;
  }

  /** Forbidden cells are asked all the while; `cells` may allow what is allowed now and then. */
  async during(cells: readonly Cell[], action: () => Promise<void>): Promise<string> {
    const captures = await this.#captures();
    const quiet = cells.filter(({ allowed }) => allowed === never);
    let going = true;
    let asked = 0;
    const asking = (async () => {
      while (going) {
        await Promise.all(quiet.map((cell) => this.#ask(cell)));
        asked += quiet.length * protocols.length * families.length;
      }
    })();
    await action().finally(() => {
      going = false;
    });
    await asking;
    const forbidden = await arrivals(captures, cells);
    expect(forbidden.length === 0, 'no forbidden packet', forbidden);
    return `${asked} probes, 0 forbidden packets`;
  }

  /** Sentences about answers that should not be there, or should. */
  async #ask({ from, to, at, allowed }: Cell): Promise<string[]> {
    const prober = this.#probers.get(from);
    if (!prober) throw new Error(`nobody asks from ${from}`);
    const all = protocols.flatMap((protocol) =>
      families.map(async (family) => {
        const wanted = allowed(protocol, family);
        const answered = await prober.ask(protocol, at[family]);
        if (answered === wanted) return [];
        // A busy machine may lose one; a rule loses all.
        if (wanted && (await prober.ask(protocol, at[family]))) return [];
        return [`${from} -> ${to} ${at[family]} ${protocol}: ${answered ? 'answered' : 'not answered'}`];
      }),
    );
    return (await Promise.all(all)).flat();
  }

  async #captures(): Promise<Map<Place, Capture>> {
    const { pc, internet, corp } = this.#world;
    return new Map<Place, Capture>([
      ['pc', await pc.capture('lan')],
      ['kids', await this.#world.host('kids').capture('lan')],
      ['wild', await internet.capture('home')],
      ['corp', await corp.capture('lan')],
    ]);
  }
}

/** What came to a place from where nothing may come, by the addresses in the packets. */
async function arrivals(captures: ReadonlyMap<Place, Capture>, cells: readonly Cell[]): Promise<string[]> {
  const found: string[] = [];
  for (const [place, capture] of captures) {
    for (const packet of await capture.stop()) {
      if (place === 'wild' ? isInner(packet) : !isWelcome(place, packet, cells))
        found.push(`at ${place}: ${describe(packet)}`);
    }
  }
  return [...new Set(found)];
}

/** Answers come from where questions went; multicast and link-local neighbours are not of this table. */
function isWelcome(place: Place, packet: CapturedPacket, cells: readonly Cell[]): boolean {
  const { pc, kids, corp, moatLan, moatKids, portalCorp } = addresses;
  const at: Record<string, Place> = {};
  for (const [name, address] of Object.entries({ pc, kids, corp })) at[address.v4] = at[address.v6] = name as Place;
  const boxes: string[] = [moatLan, moatKids, portalCorp].flatMap(({ v4, v6 }) => [v4, v6]);
  const isOwn = at[packet.source] === place;
  const isLink = /^(fe80|ff|::$|169\.254|224\.|255\.)/.test(packet.source) || /^(fe80|ff)/.test(packet.destination);
  if (isOwn || isLink || boxes.includes(packet.source)) return true;
  const from = at[packet.source] ?? 'wild';
  const opened = (a: Place, b: Place) =>
    cells.some(({ from: x, to: y, allowed }) => x === a && y === b && allowed !== never);
  return opened(from, place) || opened(place, from);
}

/** From an inner address, or from the box to one; what the outside itself sends inwards is its own affair. */
function isInner({ source, destination }: CapturedPacket): boolean {
  const inner = /^(10\.77\.|10\.1\.|fd77:|fd01:)/;
  const ours: readonly string[] = Object.values(addresses.moatDirect);
  return inner.test(source) || (inner.test(destination) && ours.includes(source));
}

function describe({ source, destination, protocol, destinationPort }: CapturedPacket): string {
  return `${source} -> ${destination} protocol ${protocol} port ${destinationPort}`;
}
