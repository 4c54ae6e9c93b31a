import { networks } from '../lab/topology.ts';
import type { World } from '../lab/world.ts';
import { StrongSwan } from './strongswan.ts';
import { type Credentials, newEd25519 } from './swanctl-conf.ts';

/** Two strongSwans as the world's two gateways: connection `portal` at home, `box` at the portal. */
export async function startPair(
  world: World,
  kind: 'ed25519' | 'psk',
): Promise<{ home: StrongSwan; portal: StrongSwan }> {
  const credentials = pairOfCredentials(kind);
  const home = await StrongSwan.start(world.moat, {
    portal: {
      localId: 'home.example',
      remoteId: 'portal.example',
      localAddress: '%any',
      remoteAddress: world.addresses.portal.v4,
      credentials: credentials.home,
      localNetworks: Object.values(networks.lan),
      remoteNetworks: Object.values(networks.corp),
    },
  });
  const portal = await StrongSwan.start(world.portal, {
    box: {
      localId: 'portal.example',
      remoteId: 'home.example',
      localAddress: world.addresses.portal.v4,
      credentials: credentials.portal,
      localNetworks: Object.values(networks.corp),
      remoteNetworks: Object.values(networks.lan),
    },
  });
  return { home, portal };
}

function pairOfCredentials(kind: 'ed25519' | 'psk'): { home: Credentials; portal: Credentials } {
  if (kind === 'psk') {
    const shared = { kind, secret: 'a secret of the lab' };
    return { home: shared, portal: shared };
  }
  const home = newEd25519();
  const portal = newEd25519();
  return {
    home: { kind, privateKeyPem: home.privateKeyPem, peerPublicKeyPem: portal.publicKeyPem },
    portal: { kind, privateKeyPem: portal.privateKeyPem, peerPublicKeyPem: home.publicKeyPem },
  };
}
