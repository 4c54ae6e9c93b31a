import { generateKeyPairSync } from 'node:crypto';
import type { RootRecipe } from '../../interop/roots.ts';
import type { World } from '../../lab/world.ts';
import { connect, endsOf, type PeerEnd, tunnelNetwork } from './ends.ts';
import { deviceOf, inside, offloadsOf, Room } from './room.ts';

const device = 'wg0';
const port = 51820;
/** 1500 less IPv4, UDP, header and tag; what wg-quick sets for either family (1420) wastes 20 octets here. */
const mtu = 1440;

interface Keys {
  readonly secret: string;
  readonly open: string;
}

/** WireGuard's keys are X25519 keys in base64. */
function newKeys(): Keys {
  const { d = '', x = '' } = generateKeyPairSync('x25519').privateKey.export({ format: 'jwk' });
  const base64 = (text: string) => Buffer.from(text, 'base64url').toString('base64');
  return { secret: base64(d), open: base64(x) };
}

/** Starts wireguard-go of a Debian at both ends. Returns what carries the packets. */
export async function startWireguard(world: World, recipe: RootRecipe): Promise<string> {
  const [home, portal] = endsOf(world);
  const keys = { home: newKeys(), portal: newKeys() };
  await startEnd(portal, home, keys, recipe);
  const room = await startEnd(home, portal, keys, recipe);
  return `wireguard-go ${await room.version('wireguard-go')}, ChaCha20-Poly1305, ${await offloadsOf(home.host, device)}`;
}

async function startEnd(
  end: PeerEnd,
  other: PeerEnd,
  keys: Readonly<Record<PeerEnd['name'], Keys>>,
  recipe: RootRecipe,
): Promise<Room> {
  const room = await Room.open(end.host, recipe);
  room.write('wg.conf', configuration(end, other, keys));
  const program = room.start('wireguard-go', ['wireguard-go', '-f', device]);
  await deviceOf(program, end.host, device);
  await room.mustBeside(program, ['wg', 'setconf', device, `${inside}/wg.conf`]);
  await connect(end, other, device, mtu);
  return room;
}

function configuration(end: PeerEnd, other: PeerEnd, keys: Readonly<Record<PeerEnd['name'], Keys>>): string {
  return `[Interface]
PrivateKey = ${keys[end.name].secret}
ListenPort = ${port}

[Peer]
PublicKey = ${keys[other.name].open}
Endpoint = ${other.outside}:${port}
AllowedIPs = ${tunnelNetwork}, ${other.network}
`;
}
