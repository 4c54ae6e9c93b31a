/** The table of ordered pairs of zones: who may ask what of whom. It is probed, and captures count what arrived. */
import type { Capture } from './capture.ts';
import type { CapturedPacket } from './pcap.ts';
import { Prober } from './prober.ts';
import { expect } from './story.ts';
import { addresses } from './topology.ts';
import type { World } from './world.ts';

const inside = ['pc', 'pc2', 'kids', 'corp', 'corp2'] as const;
const places = [...inside, 'wild'] as const;
export type Place = (typeof places)[number] | 'box';
export type Protocol = 'tcp' | 'udp' | 'icmp';
export type Family = 'v4' | 'v6';
type Address = { readonly v4: string; readonly v6: string };
export type Allowed = (protocol: Protocol, family: Family) => boolean;
/** By `from to`; a pair that is not there may nothing. */
export type Pairs = Readonly<Record<string, Allowed>>;

interface Cell {
  readonly from: Place;
  readonly to: Place;
  readonly at: Address;
  readonly allowed: Allowed;
}

export const protocols: readonly Protocol[] = ['tcp', 'udp', 'icmp'];
export const families: readonly Family[] = ['v4', 'v6'];
export const always: Allowed = () => true;
const never: Allowed = () => false;
const pings: Allowed = (protocol) => protocol === 'icmp';

const numbers: Readonly<Record<string, number>> = { pc: 101, pc2: 102, kids: 103, corp: 104, corp2: 105, box: 106 };
/** The insides of the two companies have the same networks: these addresses only one of them has. */
const corporate: Readonly<Record<string, Address>> = {
  corp: { v4: '10.1.0.30', v6: 'fd01:1::30' },
  corp2: { v4: '10.1.0.20', v6: 'fd01:1::20' },
};
const hosts: Readonly<Record<string, Address>> = {
  pc: addresses.pc,
  pc2: addresses.pc2,
  kids: addresses.kids,
  ...corporate,
};
const boxes: readonly Address[] = [
  addresses.moatLan,
  addresses.moatLan2,
  addresses.moatKids,
  addresses.moatDirect,
  addresses.portalCorp,
];

/** Outside, a NAT hides who asks: everybody asks another address there. */
export function wildOf(place: Place): Address {
  const number = numbers[place];
  return { v4: `203.0.113.${number}`, v6: `2001:db8:113::${number}` };
}

/** What holds without any policy. */
export const basePairs: Pairs = {
  'pc corp': always,
  'corp pc': always,
  'pc2 corp2': always,
  'corp2 pc2': always,
  'kids wild': always,
  'box pc': always,
  'box pc2': always,
  'box kids': always,
  'box wild': always,
  'box corp': always,
};

function cellsOf(pairs: Pairs): Cell[] {
  const between = [...places, 'box' as const].flatMap((from) =>
    places
      .filter((to) => to !== from)
      .map((to): Cell => {
        const at = to === 'wild' ? wildOf(from) : (hosts[to] as Address);
        return { from, to, at, allowed: pairs[`${from} ${to}`] ?? never };
      }),
  );
  const { moatLan, moatLan2, moatKids, moatDirect } = addresses;
  const own: Partial<Record<Place, Address>> = {
    pc: moatLan,
    pc2: moatLan2,
    kids: moatKids,
    corp: moatLan,
    corp2: moatLan2,
  };
  const box = places.flatMap((from) =>
    [moatLan, moatLan2, moatKids, moatDirect].map(
      (at): Cell => ({ from, to: 'box', at, allowed: own[from] === at ? pings : never }),
    ),
  );
  return [...between, ...box];
}

/** What either of two tables allows: between them anything of both may pass. */
function eitherOf(a: Pairs, b: Pairs): Pairs {
  return combined(a, b, (x, y) => (protocol, family) => x(protocol, family) || y(protocol, family));
}

function bothOf(a: Pairs, b: Pairs): Pairs {
  return combined(a, b, (x, y) => (protocol, family) => x(protocol, family) && y(protocol, family));
}

function combined(a: Pairs, b: Pairs, join: (x: Allowed, y: Allowed) => Allowed): Pairs {
  const names = [...new Set([...Object.keys(a), ...Object.keys(b)])];
  return Object.fromEntries(names.map((name) => [name, join(a[name] ?? never, b[name] ?? never)]));
}

export class ZoneTable {
  readonly #world: World;
  readonly #probers: ReadonlyMap<Place, Prober>;

  private constructor(world: World, probers: ReadonlyMap<Place, Prober>) {
    this.#world = world;
    this.#probers = probers;
  }

  /** Of a world with kids and a second employer. */
  static async start(world: World): Promise<ZoneTable> {
    const named = inside.map((place) => [place, world.host(place)] as const);
    const all = [...named, ['wild', world.internet] as const, ['box', world.moat] as const];
    for (const [name, { v4, v6 }] of Object.entries(corporate)) {
      await world.host(name).ip(`address add ${v4}/16 dev lan`, `address add ${v6}/64 dev lan`);
    }
    const asked = Object.keys(numbers).map((place) => wildOf(place as Place));
    await world.internet.ip(
      ...asked.flatMap(({ v4, v6 }) => [`address add ${v4}/24 dev home`, `address add ${v6}/64 dev home`]),
      ...waysIn(),
    );
    const started = all.map(async ([place, host]) => [place, await Prober.start(host)] as const);
    return new ZoneTable(world, new Map(await Promise.all(started)));
  }

  /** Every cell: allowed ones are answered, and of forbidden ones no packet arrives. */
  async check(pairs: Pairs): Promise<string> {
    const captures = await this.#captures();
    const cells = cellsOf(pairs);
    const wrong = (await Promise.all(cells.map((cell) => this.#ask(cell)))).flat();
    const forbidden = await arrivals(captures, pairs);
    expect(wrong.length === 0, 'every cell as the table says', wrong);
    expect(forbidden.length === 0, 'no forbidden packet', forbidden);
    return `${cells.length} cells, ${cells.length * 6} probes, 0 forbidden packets`;
  }

  /**
   * All cells are asked all the while. What neither table allows never passes; what both allow is always answered
   * when `steady` (nothing else disturbs the ways).
   */
  async during(before: Pairs, after: Pairs, steady: boolean, action: () => Promise<void>): Promise<string> {
    const captures = await this.#captures();
    const either = eitherOf(before, after);
    const forbiddenCells = cellsOf(either);
    const kept = cellsOf(bothOf(before, after));
    const refused: string[] = [];
    let [going, asked] = [true, 0];
    const asking = (async () => {
      while (going) {
        const answers = await Promise.all([...forbiddenCells].map((cell) => this.#ask(cell, 'forbidden')));
        const others = steady ? await Promise.all(kept.map((cell) => this.#ask(cell, 'allowed'))) : [];
        refused.push(...answers.flat(), ...others.flat());
        asked += (forbiddenCells.length + others.length) * 6;
      }
    })();
    await action().finally(() => {
      going = false;
    });
    await asking;
    const forbidden = await arrivals(captures, either);
    expect(refused.length === 0, 'no wrong answer', [...new Set(refused)]);
    expect(forbidden.length === 0, 'no forbidden packet', forbidden);
    return `${asked} probes, 0 forbidden packets`;
  }

  /** Sentences about answers that should not be there, or should. */
  async #ask({ from, to, at, allowed }: Cell, only?: 'forbidden' | 'allowed'): Promise<string[]> {
    const prober = this.#probers.get(from);
    if (!prober) throw new Error(`nobody asks from ${from}`);
    const all = protocols.flatMap((protocol) =>
      families.map(async (family) => {
        const wanted = allowed(protocol, family);
        if (only === 'allowed' && !wanted) return [];
        const ask = () => prober.ask(protocol, at[family], corporate[from]?.[family]);
        const answered = await ask();
        if (answered === wanted || (wanted && only === 'forbidden')) return [];
        // A busy machine may lose one; a rule loses all.
        if (wanted && (await ask())) return [];
        return [`${from} -> ${to} ${at[family]} ${protocol}: ${answered ? 'answered' : 'not answered'}`];
      }),
    );
    return (await Promise.all(all)).flat();
  }

  async #captures(): Promise<Map<string, Capture>> {
    const tunnel = 'not udp port 500 and not udp port 4500';
    const made = [
      ...inside.map(async (place) => [place, await this.#world.host(place).capture('lan')] as const),
      ...['home', 'portal', 'portal2'].map(
        async (device) => [`wild ${device}`, await this.#world.internet.capture(device, tunnel)] as const,
      ),
    ];
    return new Map(await Promise.all(made));
  }
}

/** Who is outside knows the ways in, or "nothing came in" would prove nothing. */
function waysIn(): string[] {
  const { moatDirect, portal } = addresses;
  return [
    ...['10.77.1.0/24', '10.77.2.0/24', '10.77.3.0/24'].map((network) => `route add ${network} via ${moatDirect.v4}`),
    ...['fd77:1::/64', 'fd77:2::/64', 'fd77:3::/64'].map((network) => `route add ${network} via ${moatDirect.v6}`),
    `route add 10.1.0.0/16 via ${portal.v4}`,
    `route add fd01:1::/64 via ${portal.v6}`,
  ];
}

/** Packets that came to a place from where nothing may come, by the addresses in them. */
async function arrivals(captures: ReadonlyMap<string, Capture>, pairs: Pairs): Promise<string[]> {
  const found: string[] = [];
  for (const [place, capture] of captures) {
    for (const packet of await capture.stop()) {
      const fine = place.startsWith('wild') ? isFineOutside(packet, pairs) : isWelcome(place, packet, pairs);
      if (!fine) found.push(`at ${place}: ${describe(packet)}`);
    }
  }
  return [...new Set(found)];
}

const protocolOf = (packet: CapturedPacket): Protocol | null =>
  packet.protocol === 6 ? 'tcp' : packet.protocol === 17 ? 'udp' : [1, 58].includes(packet.protocol) ? 'icmp' : null;

/** Answers come from where questions went; multicast and neighbours on the link are not of this table. */
function isWelcome(place: string, packet: CapturedPacket, pairs: Pairs): boolean {
  const { source, destination } = packet;
  if (/^(fe80|ff|::$|169\.254|224\.|255\.)/.test(source) || /^(fe80|ff)/.test(destination)) return true;
  if (placeAt(source) === place || boxes.some(({ v4, v6 }) => source === v4 || source === v6)) return true;
  const from = placeAt(source) ?? 'wild';
  return allows(pairs, from, place, packet) || allows(pairs, place, from, packet);
}

function allows(pairs: Pairs, from: string, to: string, packet: CapturedPacket): boolean {
  const protocol = protocolOf(packet);
  return protocol !== null && (pairs[`${from} ${to}`] ?? never)(protocol, packet.source.includes(':') ? 'v6' : 'v4');
}

function placeAt(address: string): string | undefined {
  return Object.entries(hosts).find(([, { v4, v6 }]) => address === v4 || address === v6)?.[0];
}

const ours: readonly string[] = Object.values(addresses.moatDirect);

/** From an inner address, or from the box to one. */
export function isInner({ source, destination }: CapturedPacket): boolean {
  const inner = /^(10\.77\.|10\.1\.|fd77:|fd01:)/;
  return inner.test(source) || (inner.test(destination) && ours.includes(source));
}

/** No inner address, and to each asker's address only what the asker may. What the outside sends inwards is its own affair. */
function isFineOutside(packet: CapturedPacket, pairs: Pairs): boolean {
  const { source, destination } = packet;
  if (isInner(packet)) return false;
  const asker = Object.keys(numbers).find((place) => Object.values(wildOf(place as Place)).includes(destination));
  if (asker === undefined || !ours.includes(source)) return true;
  if (isNeighbourDiscovery(packet)) return true;
  return allows(pairs, asker, 'wild', packet);
}

/** RFC 4861: the box's own solicitations and advertisements. */
function isNeighbourDiscovery({ protocol, octets }: CapturedPacket): boolean {
  const type = octets[40] ?? 0;
  return protocol === 58 && type >= 133 && type <= 137;
}

export function describe({ source, destination, protocol, destinationPort }: CapturedPacket): string {
  return `${source} -> ${destination} protocol ${protocol} port ${destinationPort}`;
}
