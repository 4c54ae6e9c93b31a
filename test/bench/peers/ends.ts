import type { Host } from '../../lab/host.ts';
import { networks } from '../../lab/topology.ts';
import type { World } from '../../lab/world.ts';

/** One of a peer's two ends, as every one of them wants to know it. */
export interface PeerEnd {
  readonly name: 'home' | 'portal';
  readonly host: Host;
  /** Inside the tunnel. */
  readonly tunnelAddress: string;
  /** On the internet. */
  readonly outside: string;
  /** Behind this end. */
  readonly network: string;
}

/** The addresses inside the tunnel are nobody else's in the world. */
export const tunnelNetwork = '192.168.99.0/24';

export function endsOf(world: World): readonly [home: PeerEnd, portal: PeerEnd] {
  const { moatDirect, portal } = world.addresses;
  return [
    {
      name: 'home',
      host: world.moat,
      tunnelAddress: '192.168.99.1',
      outside: moatDirect.v4,
      network: networks.lan.v4,
    },
    {
      name: 'portal',
      host: world.portal,
      tunnelAddress: '192.168.99.2',
      outside: portal.v4,
      network: networks.corp.v4,
    },
  ];
}

/** Gives the device its address and the way to what is behind the other end. */
export async function connect(end: PeerEnd, other: PeerEnd, device: string, mtu: number): Promise<void> {
  await end.host.ip(
    `address add ${end.tunnelAddress}/24 dev ${device}`,
    `link set ${device} mtu ${mtu} up`,
    `route add ${other.network} dev ${device}`,
  );
}
