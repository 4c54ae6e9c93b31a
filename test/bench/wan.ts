import type { Host } from '../lab/host.ts';
import type { World } from '../lab/world.ts';

/** What a cable without segmentation offload lacks; GRO too, or the far end would join what was cut. */
const features = ['tso', 'gso', 'gro', 'tx-udp-segmentation'] as const;

/** How `ethtool -k` calls what `-K` calls otherwise. */
const longNames: Readonly<Record<(typeof features)[number], string>> = {
  tso: 'tcp-segmentation-offload',
  gso: 'generic-segmentation-offload',
  gro: 'generic-receive-offload',
  'tx-udp-segmentation': 'tx-udp-segmentation',
};

/** The cables between the gateways: whole as they were made, or cutting every packet to its segments. */
export class Wan {
  readonly #ends: readonly (readonly [Host, device: string])[];
  readonly #asMade = new Map<string, string[]>();

  constructor({ moat, internet, portal }: World) {
    this.#ends = [
      [moat, 'wan'],
      [internet, 'home'],
      [internet, 'portal'],
      [portal, 'wan'],
    ];
  }

  async cut(): Promise<void> {
    for (const [host, device] of this.#ends) {
      const key = `${host.name} ${device}`;
      if (!this.#asMade.has(key)) this.#asMade.set(key, settings(await host.must(['ethtool', '-k', device])));
      await host.must(['ethtool', '-K', device, ...features.flatMap((feature) => [feature, 'off'])]);
    }
  }

  async whole(): Promise<void> {
    for (const [host, device] of this.#ends) {
      const asMade = this.#asMade.get(`${host.name} ${device}`);
      if (asMade) await host.must(['ethtool', '-K', device, ...asMade]);
    }
  }
}

/** The features as they are, in the words of `ethtool -K`. */
function settings(shown: string): string[] {
  return features.flatMap((feature) => {
    const value = new RegExp(`^\\s*${longNames[feature]}: (on|off)`, 'm').exec(shown)?.[1];
    return value ? [feature, value] : [];
  });
}

const protocolNames: Readonly<Record<number, string>> = { 1: 'ICMP', 6: 'TCP', 17: 'UDP', 50: 'ESP' };

/**
 * What crosses the internet while pc pings corp, as `UDP 51820`; the proof of what carries the packets.
 * @throws {Error} when nothing does.
 */
export async function onTheWire(world: World): Promise<string> {
  const capture = await world.internet.capture('home', 'ip');
  const ping = await world.pc.ping(world.addresses.corp.v4, { count: 10 });
  const packets = await capture.stop();
  if (ping.received === 0) throw new Error('pc does not reach corp');
  const kinds = packets.map(({ protocol, destinationPort }) => {
    const port = protocol === 17 ? ` ${destinationPort}` : '';
    return `${protocolNames[protocol] ?? `protocol ${protocol}`}${port}`;
  });
  const [commonest] = [...new Set(kinds)].sort((a, b) => count(kinds, b) - count(kinds, a));
  if (!commonest) throw new Error('pc reaches corp, but not over the internet');
  return commonest;
}

const count = (list: readonly string[], wanted: string) => list.filter((item) => item === wanted).length;
