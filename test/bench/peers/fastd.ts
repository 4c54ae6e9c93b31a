import type { World } from '../../lab/world.ts';
import { connect, endsOf, type PeerEnd } from './ends.ts';
import { debian12, deviceOf, inside, offloadsOf, Room } from './room.ts';

const device = 'fastd0';
const port = 10000;
/** Its own overhead in a TUN is 24 octets beyond IPv4 and UDP. */
const mtu = 1448;
/** The fastest of its methods here that encrypts and authenticates. */
const method = 'salsa2012+umac';

interface Keys {
  readonly secret: string;
  readonly open: string;
}

/** Starts fastd at both ends. Returns what carries the packets. */
export async function startFastd(world: World): Promise<string> {
  const [home, portal] = endsOf(world);
  const rooms = { home: await Room.open(home.host, debian12), portal: await Room.open(portal.host, debian12) };
  const keys = { home: await newKeys(rooms.home), portal: await newKeys(rooms.portal) };
  await startEnd(rooms.portal, portal, home, keys);
  await startEnd(rooms.home, home, portal, keys);
  return `fastd ${await rooms.home.version('fastd')}, ${method}, ${await offloadsOf(home.host, device)}`;
}

async function newKeys(room: Room): Promise<Keys> {
  const text = await room.must(['fastd', '--generate-key']);
  const key = (name: string) => new RegExp(`${name}: ([0-9a-f]{64})`).exec(text)?.[1];
  const [secret, open] = [key('Secret'), key('Public')];
  if (!secret || !open) throw new Error('fastd made no keys');
  return { secret, open };
}

async function startEnd(
  room: Room,
  end: PeerEnd,
  other: PeerEnd,
  keys: Readonly<Record<PeerEnd['name'], Keys>>,
): Promise<void> {
  room.write(
    'fastd.conf',
    `log level warn;
mode tun;
interface "${device}";
method "${method}";
mtu ${mtu};
bind ${end.outside}:${port};
secret "${keys[end.name].secret}";
peer "${other.name}" { key "${keys[other.name].open}"; remote ipv4 ${other.outside} port ${port}; }
`,
  );
  const program = room.start('fastd', ['fastd', '--config', `${inside}/fastd.conf`]);
  await deviceOf(program, end.host, device);
  await connect(end, other, device, mtu);
}
