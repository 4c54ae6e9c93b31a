import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { newEd25519 } from '../interop/swanctl-conf.ts';
import { buildAddon, Moat, type MoatConfig } from './moat.ts';
import { networks } from './topology.ts';
import type { World } from './world.ts';

export const homeId = 'home-1.moat.example';
export const portalId = 'portal.moat.example';

/** What both ends know of each other: a key pair each, or one shared secret. */
export interface Credentials {
  readonly kind: 'ed25519' | 'psk';
  readonly home: Identity;
  readonly portal: Identity;
  readonly secret: string;
}

interface Identity {
  readonly privateKeyPem: string;
  readonly publicKeyPem: string;
  readonly publicKey: string;
}

export function newCredentials(kind: Credentials['kind'] = 'ed25519'): Credentials {
  return { kind, home: newEd25519(), portal: newEd25519(), secret: 'a secret of the lab, long enough' };
}

/** Fields that a story wants different; `peer` for the one peer, `tunnel` for the tunnel section. */
export interface Wishes {
  readonly peer?: object;
  readonly tunnel?: object;
}

/** The configuration of the world's moat. */
export function homeConfig(world: World, credentials: Credentials, wishes: Wishes = {}): MoatConfig {
  return {
    role: 'home',
    name: 'home-1',
    identity: { id: homeId, ...keyFile(world, 'home', credentials) },
    tunnel: {
      networks: Object.values(networks.lan),
      sourceAddresses: Object.values(world.addresses.moatLan),
      ...wishes.tunnel,
    },
    peers: [
      {
        name: 'portal',
        id: portalId,
        addresses: [world.addresses.portal.v4],
        networks: Object.values(networks.corp),
        ...trust(credentials, 'portal'),
        ...wishes.peer,
      },
    ],
  };
}

/** The configuration of the world's portal, with the one box. */
export function portalConfig(world: World, credentials: Credentials, wishes: Wishes = {}): MoatConfig {
  return {
    role: 'portal',
    name: 'portal',
    identity: { id: portalId, ...keyFile(world, 'portal', credentials) },
    tunnel: {
      networks: Object.values(networks.corp),
      sourceAddresses: Object.values(world.addresses.portalCorp),
      ...wishes.tunnel,
    },
    peers: [
      {
        name: 'home-1',
        id: homeId,
        networks: Object.values(networks.lan),
        ...trust(credentials, 'home'),
        ...wishes.peer,
      },
    ],
  };
}

function keyFile(world: World, end: 'home' | 'portal', credentials: Credentials): { privateKeyFile?: string } {
  if (credentials.kind === 'psk') return {};
  const privateKeyFile = join(
    world.temporary,
    `${end}-${credentials[end].publicKey.slice(0, 8).replaceAll('/', '_')}.key`,
  );
  writeFileSync(privateKeyFile, credentials[end].privateKeyPem, { mode: 0o600 });
  return { privateKeyFile };
}

const trust = (credentials: Credentials, peer: 'home' | 'portal') =>
  credentials.kind === 'psk' ? { psk: credentials.secret } : { publicKey: credentials[peer].publicKey };

/** IKE itself keeps trying for a minute; on a bad path it may need it. */
const patienceMs = 90_000;

/** Starts both ends and waits until the tunnel is up. `watch` sees each moat as soon as it runs. */
export async function startMoats(
  world: World,
  wishes: { home?: Wishes; portal?: Wishes } = {},
  watch: (host: string, moat: Moat) => void = () => undefined,
): Promise<{ home: Moat; portal: Moat }> {
  await buildAddon();
  const credentials = newCredentials();
  const portal = await Moat.start(world.portal, { config: portalConfig(world, credentials, wishes.portal) });
  watch('portal', portal);
  const home = await Moat.start(world.moat, { config: homeConfig(world, credentials, wishes.home) });
  watch('home', home);
  await home.up(patienceMs);
  await portal.up(patienceMs);
  return { home, portal };
}
