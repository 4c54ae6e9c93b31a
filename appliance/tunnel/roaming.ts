/**
 * Where a tunnel goes on when the host's network has changed. A change of our address, of the router or of a cable moves
 * every tunnel of a home at once, before anybody notices by silence (RFC 4555 3.5). What changes elsewhere, such as the
 * mapping of a NAT, nobody tells us: a stream of packets that breaks off while we have nothing to send is asked about.
 */
import type { SaStats } from '../../native/index.ts';
import type { Config } from '../config/schema.ts';
import type { IkeSaStatus } from '../ike/api.ts';
import type { Path } from '../lib/net.ts';

/** What the host's network is now. */
export interface Here {
  /** The address from which this host reaches `remote`. @throws {Error} when there is no route. */
  readonly sourceFor: (remote: string) => Promise<string>;
  readonly addresses: ReadonlySet<string>;
}

export interface Move {
  readonly peer: string;
  readonly path: Path;
}

/** Where each tunnel that is up goes on. A portal moves only what spoke from an address that it has lost: its boxes are who roams. */
export async function movesFrom(config: Config, sas: readonly IkeSaStatus[], here: Here): Promise<Move[]> {
  const up = new Map(sas.filter(({ state }) => state === 'established').map(({ peer, path }) => [peer, path]));
  const moves = config.peers.map(async ({ name, addresses }) => {
    const path = up.get(name);
    if (path === undefined) return [];
    if (config.role === 'portal' && here.addresses.has(path.local.address)) return [];
    const next = await pathFrom(path, addresses, here);
    return next === null ? [] : [{ peer: name, path: next }];
  });
  return (await Promise.all(moves)).flat();
}

/** Null when there is no way to any of the peer's addresses: the next change may bring one. */
async function pathFrom(path: Path, addresses: readonly string[], { sourceFor }: Here): Promise<Path | null> {
  const { address: current } = path.remote;
  for (const address of [current, ...addresses.filter((each) => each !== current)]) {
    const local = await sourceFor(address).catch(() => null);
    if (local !== null) return { local: { ...path.local, address: local }, remote: { ...path.remote, address } };
  }
  return null;
}

/** How long a stream must have been silent to be asked about, and how many packets make one. */
const silentMs = 400;
const streamPackets = 20;

interface Heard {
  readonly packets: number;
  /** Packets of the stream that has not broken off yet. */
  readonly stream: number;
}

/** Finds streams that broke off without an answer of ours. Call it every few hundred milliseconds. */
export class Streams {
  #heard = new Map<number, Heard>();

  /** The tunnels to ask about, each once for a stream. */
  brokenOff(stats: readonly SaStats[]): number[] {
    const sentAgo = new Map<number, number>();
    for (const { direction, active, tunnel, idleMs } of stats) {
      if (direction === 'outbound' && active) sentAgo.set(tunnel, idleMs ?? Number.POSITIVE_INFINITY);
    }
    const next = new Map<number, Heard>();
    const found: number[] = [];
    for (const { direction, spi, tunnel, packets, idleMs } of stats) {
      if (direction !== 'inbound' || idleMs === null) continue;
      const before = this.#heard.get(spi) ?? { packets: 0, stream: 0 };
      const stream = before.stream + packets - before.packets;
      const isOver = idleMs >= silentMs;
      next.set(spi, { packets, stream: isOver ? 0 : stream });
      // Whatever we sent since has shown the peer where we are now.
      if (isOver && stream >= streamPackets && (sentAgo.get(tunnel) ?? 0) >= idleMs) found.push(tunnel);
    }
    this.#heard = next;
    return found;
  }
}
