import { X509Certificate } from 'node:crypto';
import type { Running } from '../../lab/running.ts';
import type { World } from '../../lab/world.ts';
import { connect, endsOf, type PeerEnd } from './ends.ts';
import { debian12, deviceOf, inside, offloadsOf, Room } from './room.ts';

const device = 'ovpn0';
const port = 1194;
/** 1500 less IPv4, UDP, opcode and peer id, packet number and tag: no envelope is larger than the path. */
const mtu = 1448;

/** Starts OpenVPN at both ends, point to point with TLS and pinned certificates. Returns what carries the packets. */
export async function startOpenVpn(world: World): Promise<string> {
  const [home, portal] = endsOf(world);
  const homeRoom = await Room.open(home.host, debian12);
  const portalRoom = await Room.open(portal.host, debian12);
  const homeMark = await newCertificate(homeRoom, 'home');
  const portalMark = await newCertificate(portalRoom, 'portal');
  await startEnd(portalRoom, { end: portal, other: home, pinned: homeMark });
  const program = await startEnd(homeRoom, { end: home, other: portal, pinned: portalMark });
  const cipher = /cipher '([^']+)'/.exec(await program.line(/Data Channel: cipher/, 20_000))?.[1];
  return `OpenVPN ${await homeRoom.version('openvpn')}, ${cipher}, ${await offloadsOf(home.host, device)}`;
}

/** A self-signed certificate; returns its SHA-256 mark, by which the other end knows it. */
async function newCertificate(room: Room, name: string): Promise<string> {
  const key = '-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes'.split(' ');
  const out = ['-keyout', `${inside}/key.pem`, '-out', `${inside}/cert.pem`];
  await room.must(['openssl', 'req', '-x509', ...key, ...out, '-days', '30', '-subj', `/CN=${name}`]);
  return new X509Certificate(await room.must(['cat', `${inside}/cert.pem`])).fingerprint256;
}

interface Way {
  readonly end: PeerEnd;
  readonly other: PeerEnd;
  readonly pinned: string;
}

async function startEnd(room: Room, { end, other, pinned }: Way): Promise<Running> {
  room.write('openvpn.conf', configuration({ end, other, pinned }));
  const program = room.start('openvpn', ['openvpn', '--config', `${inside}/openvpn.conf`]);
  await deviceOf(program, end.host, device);
  await connect(end, other, device, mtu);
  return program;
}

/** At its best: large socket buffers, no output per packet, its fast path, a long queue at the TUN. */
function configuration({ end, other, pinned }: Way): string {
  return `${end.name === 'home' ? `tls-client\nremote ${other.outside} ${port} udp4` : `tls-server\ndh none\nlport ${port}\nproto udp4`}
dev ${device}
dev-type tun
ifconfig-noexec
cert ${inside}/cert.pem
key ${inside}/key.pem
<peer-fingerprint>
${pinned}
</peer-fingerprint>
data-ciphers AES-256-GCM
tun-mtu ${mtu}
txqueuelen 1000
sndbuf 4194304
rcvbuf 4194304
fast-io
keepalive 10 60
verb 3
`;
}
