/** The work probe: does the box do its job under the configuration that is in force? */
import { Resolver } from 'node:dns/promises';
import type { Config } from '../config/schema.ts';
import { familyOf } from '../lib/ip.ts';
import type { TunnelStatus } from '../tunnel/status.ts';
import { ping, wholePacket } from './ping.ts';
import type { Proof } from './service-runner.ts';

const patienceMs = 2000;

/** The inbound SPIs of each peer: what was there before the proof began. */
export type Fingerprint = ReadonlyMap<string, readonly string[]>;

export function fingerprint(tunnel: TunnelStatus | null): Fingerprint {
  return new Map(tunnel?.peers.map((peer) => [peer.name, spis(peer)]) ?? []);
}

function spis(peer: TunnelStatus['peers'][number]): string[] {
  return peer.ike?.children.map(({ spiIn }) => spiIn) ?? [];
}

/**
 * Whether each tunnel of a home is up with keys that were made after `before`: an SA that only has not noticed yet that its
 * peer is out of reach proves nothing. A portal waits to be called, and cannot be judged by who calls.
 */
export function tunnelProof(tunnel: TunnelStatus | null, before: Fingerprint): Proof {
  if (tunnel === null) return { ok: false, detail: 'the tunnel service does not run' };
  if (tunnel.role === 'portal') return { ok: true, detail: 'the portal waits for its boxes' };
  for (const peer of tunnel.peers) {
    if (peer.state !== 'up') return { ok: false, detail: peer.problem ?? `there is no tunnel to ${peer.name}` };
    const old = before.get(peer.name) ?? [];
    if (!spis(peer).some((spi) => !old.includes(spi))) {
      return { ok: false, detail: `${peer.name} has not answered since the change` };
    }
  }
  return { ok: true, detail: 'every tunnel is up' };
}

/** The hosts behind the tunnels that the configuration says answer pings. */
export function proofTargets({ proof, peers }: Config): string[] {
  return [...new Set([...proof.pings, ...peers.flatMap(({ proofAddresses }) => proofAddresses)])];
}

/** A packet of the LAN's size, not to be fragmented, there and back. */
export async function pingProof(config: Config, target: string): Promise<Proof> {
  const { mtu, sourceAddresses } = config.tunnel;
  const source = sourceAddresses.find((address) => familyOf(address) === familyOf(target));
  const words = ['-c', '1', '-W', `${patienceMs / 1000}`, ...wholePacket(target, mtu)];
  try {
    const { received } = await ping(target, ...words, ...(source ? ['-I', source] : []));
    return {
      ok: received > 0,
      detail: `${target} ${received > 0 ? 'answers' : 'does not answer'} a ping of ${mtu} octets`,
    };
  } catch (error) {
    return { ok: false, detail: (error as Error).message };
  }
}

/** Asked of our own DNS, as a host of the LAN would. */
export async function nameProof(config: Config, name: string): Promise<Proof> {
  const [listener] = config.dns?.listen ?? [];
  if (!listener) return { ok: false, detail: `${name} cannot be asked: there is no DNS on this box` };
  const resolver = new Resolver({ timeout: patienceMs, tries: 1 });
  const host = familyOf(listener.address) === 4 ? listener.address : `[${listener.address}]`;
  resolver.setServers([`${host}:${listener.port}`]);
  try {
    await resolver.resolveAny(name).catch(() => resolver.resolve4(name));
    return { ok: true, detail: `${name} is answered` };
  } catch (error) {
    return { ok: false, detail: `${name} is not answered: ${(error as NodeJS.ErrnoException).code}` };
  }
}
