import { startPair } from '../interop/pair.ts';
import { startMoats } from '../lab/moat-pair.ts';
import { World } from '../lab/world.ts';
import { startFastd } from './peers/fastd.ts';
import { startNebula } from './peers/nebula.ts';
import { startOpenVpn } from './peers/openvpn.ts';
import { debian12, debian13 } from './peers/room.ts';
import { startWireguard } from './peers/wireguard.ts';
import { onTheWire } from './wan.ts';

/** Something between pc and corp that is measured. */
export interface Subject {
  readonly name: string;
  /** How `--only` calls it. */
  readonly key: string;
  /** Begins to carry packets in a fresh world; returns what carries them. */
  carry(world: World): Promise<string>;
}

export const names = {
  plain: 'plain forwarding',
  moat: 'moat',
  strongswan: 'strongSwan 5.9.8',
  wireguard13: 'wireguard-go 2023 (offloads)',
  wireguard12: 'wireguard-go 2022',
  openvpn: 'OpenVPN 2.6',
  nebula: 'nebula 1.6',
  fastd: 'fastd 22',
} as const;

async function startStrongswan(world: World): Promise<string> {
  const { home, portal } = await startPair(world, 'ed25519');
  await home.initiate('portal');
  const child = (await portal.listSas())[0]?.children[0];
  if (child?.state !== 'INSTALLED') throw new Error('strongSwan brought no tunnel up');
  return `strongSwan 5.9.8, ${child.encryption} ${child.mode}, kernel-libipsec`;
}

async function startMoat(world: World): Promise<string> {
  const { home } = await startMoats(world);
  const child = (await home.peer()).ike?.children[0];
  if (!child) throw new Error('moat brought no tunnel up');
  return `moat, ${child.cipher}${child.esn ? ' ESN' : ''} ${child.mode}`;
}

export const subjects: readonly Subject[] = [
  { key: 'plain', name: names.plain, carry: async () => 'the kernel' },
  { key: 'moat', name: names.moat, carry: startMoat },
  { key: 'strongswan', name: names.strongswan, carry: startStrongswan },
  { key: 'wireguard13', name: names.wireguard13, carry: (world) => startWireguard(world, debian13) },
  { key: 'wireguard12', name: names.wireguard12, carry: (world) => startWireguard(world, debian12) },
  { key: 'openvpn', name: names.openvpn, carry: startOpenVpn },
  { key: 'nebula', name: names.nebula, carry: startNebula },
  { key: 'fastd', name: names.fastd, carry: startFastd },
];

/** @throws {Error} that lists the keys when a word names nothing. */
export function chosen(words: readonly string[] | undefined): readonly Subject[] {
  if (!words) return subjects;
  for (const word of words) {
    if (!subjects.some(({ key }) => key.startsWith(word)))
      throw new Error(`nothing is called ${word}: there are ${subjects.map(({ key }) => key).join(', ')}`);
  }
  return subjects.filter(({ key }) => words.some((word) => key.startsWith(word)));
}

export interface Started {
  readonly name: string;
  readonly key: string;
  readonly world: World;
  readonly carries: string;
}

/** A world of its own for a subject, carrying packets, with iperf3 waiting in corp. */
export async function start({ name, key, carry }: Subject): Promise<Started> {
  const world = await World.up({ name: `bench-${key}`, plainPath: key === 'plain' });
  const carries = await carry(world);
  await reachable(world);
  await world.corp.start('iperf3', ['iperf3', '-s', '--forceflush']).line(/listening/i);
  return { name, key, world, carries: `${carries}; on the wire: ${await onTheWire(world)}` };
}

/** Some peers make their first handshake for the first packet. */
async function reachable(world: World): Promise<void> {
  for (let tries = 0; tries < 40; tries += 1) {
    if ((await world.pc.ping(world.addresses.corp.v4, { count: 1, wait: 250 })).received > 0) return;
  }
  throw new Error('pc does not reach corp');
}
