import type { Dataplane } from '../../native/index.ts';
import type { Config, PeerConfig } from '../config/schema.ts';
import type { IkeEndpoint } from '../ike/api.ts';
import type { Caller } from './caller.ts';
import { mtuStatus } from './mtu.ts';
import type { Standing } from './standing.ts';
import { type TunnelStatus, tunnelStatus } from './status.ts';
import { trafficOf } from './traffic.ts';

/** Of a portal with thousands of boxes nobody reads more; what each carries stands with its peer. */
const mostSasShown = 1000;

/** The parts that know something. */
export interface Parts {
  readonly now: number;
  readonly config: Config;
  readonly endpoint: IkeEndpoint;
  readonly dataplane: Dataplane | null;
  readonly calls: Pick<Caller, 'state'>;
  readonly standing: Standing;
  readonly problems: readonly string[];
}

/** Asks all of them, for `moat status`. */
export function describeTunnel({ now, config, endpoint, dataplane, calls, standing, problems }: Parts): TunnelStatus {
  const sas = dataplane?.saStats() ?? [];
  const ikeByPeer = new Map(endpoint.status(now).map((sa) => [sa.peer, sa]));
  const tunnels = new Map(dataplane?.tunnelStats().map((stats) => [stats.tunnel, stats]));
  // Thousands of peers have thousands of SAs: nobody may look through all for each.
  const sasByTunnel = Map.groupBy(sas, ({ tunnel }) => tunnel);
  const tunnelOf = ({ name }: PeerConfig) => tunnels.get(ikeByPeer.get(name)?.children.at(-1)?.tunnel ?? -1);
  return tunnelStatus({
    now,
    config,
    problems,
    peers: config.peers.map((peer) => ({
      config: peer,
      call: calls.state(peer.name),
      ...standing.of(peer.name),
      traffic: trafficOf(tunnelOf(peer)),
      mtu: mtuStatus(tunnelOf(peer), sasByTunnel.get(tunnelOf(peer)?.tunnel ?? -1) ?? [], peer.tooBig),
      ike: ikeByPeer.get(peer.name) ?? null,
    })),
    dataplane: dataplane?.counters() ?? null,
    securityAssociations: sas.length > mostSasShown ? [] : sas,
    ikeDrops: endpoint.counters(),
  });
}
