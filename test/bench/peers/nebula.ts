import type { World } from '../../lab/world.ts';
import { endsOf, type PeerEnd } from './ends.ts';
import { debian12, deviceOf, inside, offloadsOf, Room } from './room.ts';

const device = 'nebula0';
const port = 4242;
/** 1500 less IPv4, UDP, its header and tag. */
const mtu = 1440;

/** Starts nebula at both ends, which know each other's addresses: no lighthouse. Returns what carries the packets. */
export async function startNebula(world: World): Promise<string> {
  const [home, portal] = endsOf(world);
  const rooms = { home: await Room.open(home.host, debian12), portal: await Room.open(portal.host, debian12) };
  await rooms.home.must(['nebula-cert', 'ca', '-name', 'lab', '-out-crt', at('ca.crt'), '-out-key', at('ca.key')]);
  const authority = await rooms.home.must(['cat', at('ca.crt')]);
  for (const end of [portal, home]) {
    await certify(rooms.home, end);
    const room = rooms[end.name];
    room.write('ca.crt', authority);
    for (const kind of ['crt', 'key'])
      room.write(`own.${kind}`, await rooms.home.must(['cat', at(`${end.name}.${kind}`)]));
  }
  await startEnd(rooms.portal, portal, home);
  await startEnd(rooms.home, home, portal);
  return `nebula ${await rooms.home.version('nebula')}, AES-256-GCM, ${await offloadsOf(home.host, device)}`;
}

const at = (name: string) => `${inside}/${name}`;

/** A certificate that allows the end to carry for the network behind it. */
async function certify(authority: Room, end: PeerEnd): Promise<void> {
  const by = ['-ca-crt', at('ca.crt'), '-ca-key', at('ca.key')];
  const what = ['-name', end.name, '-ip', `${end.tunnelAddress}/24`, '-subnets', end.network];
  const out = ['-out-crt', at(`${end.name}.crt`), '-out-key', at(`${end.name}.key`)];
  await authority.must(['nebula-cert', 'sign', ...by, ...what, ...out]);
}

async function startEnd(room: Room, end: PeerEnd, other: PeerEnd): Promise<void> {
  room.write('nebula.yml', configuration(other));
  const program = room.start('nebula', ['nebula', '-config', at('nebula.yml')]);
  await deviceOf(program, end.host, device);
}

function configuration(other: PeerEnd): string {
  return `
pki: { ca: ${at('ca.crt')}, cert: ${at('own.crt')}, key: ${at('own.key')} }
static_host_map: { "${other.tunnelAddress}": ["${other.outside}:${port}"] }
lighthouse: { am_lighthouse: false }
listen: { host: 0.0.0.0, port: ${port}, batch: 64, read_buffer: 10485760, write_buffer: 10485760 }
cipher: aes
tun:
  dev: ${device}
  mtu: ${mtu}
  tx_queue: 1000
  unsafe_routes: [{ route: ${other.network}, via: ${other.tunnelAddress}, mtu: ${mtu} }]
logging: { level: warning, format: text }
firewall:
  conntrack: { tcp_timeout: 12m, udp_timeout: 3m, default_timeout: 10m }
  outbound: [{ port: any, proto: any, host: any }]
  inbound: [{ port: any, proto: any, host: any }]
`;
}
