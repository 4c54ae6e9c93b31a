import { ping, wholePacket } from '../supervisor/ping.ts';
import type { MtuStatus } from '../tunnel/mtu.ts';
import type { PeerStatus } from '../tunnel/status.ts';
import { ask } from './control.ts';
import { table } from './table.ts';

/** A DF packet of the LAN's size went to `address` and came back, or did not. */
interface Proof {
  readonly peer: string;
  readonly address: string;
  readonly octets: number;
  readonly sent: number;
  readonly answered: number;
  /** What a host on the way said against it. */
  readonly objection: string | null;
}

const proofPackets = 3;

/** Exits with 1 when a proof was asked for and failed. */
export async function mtuCommand(options: { state: string; json?: boolean; prove?: boolean }): Promise<void> {
  const { tunnel } = await ask(options.state, { kind: 'status' });
  if (!tunnel) throw new Error('nothing is configured yet: see `moat status`');
  const proofs = options.prove ? await prove(tunnel.peers, tunnel.mtu) : [];
  const tunnels = tunnel.peers.map(({ name, mtu }) => ({ peer: name, lanMtu: tunnel.mtu, ...mtu }));
  if (options.json) process.stdout.write(`${JSON.stringify({ tunnels, proofs }, null, 2)}\n`);
  else process.stdout.write(`${[...mtuTable(tunnel.peers), ...proofLines(proofs, options.prove)].join('\n')}\n`);
  if (options.prove && !(proofs.length > 0 && proofs.every(({ sent, answered }) => answered === sent))) {
    process.exitCode = 1;
  }
}

function mtuTable(peers: readonly PeerStatus[]): string[] {
  const head = ['PEER', 'MODE', 'PATH', 'FOUND', 'ENVELOPE', 'MSS V4/V6', 'ENVELOPES/PACKET IN', 'OUT', 'GIVEN UP'];
  const rows = peers.map(({ name, mtu }) => [
    name,
    ...(mtu ? cells(mtu) : ['down', '-', '-', '-', '-', '-', '-', '-']),
  ]);
  return table(head, rows);
}

function cells(mtu: MtuStatus): string[] {
  const found = mtu.foundSecondsAgo === null ? mtu.pathMtuSource : `${Math.round(mtu.foundSecondsAgo)} s ago`;
  const ratio = (value: number | null) => (value === null ? '-' : value.toFixed(2));
  return [
    mtu.fragmentsEnvelopes ? 'tunnel, fragmenting (last resort)' : mtu.mode,
    String(mtu.pathMtu),
    mtu.searching ? `${found}, searching` : found,
    String(mtu.envelopePayload),
    mtu.clampMss ? `${mtu.clampMss.ipv4}/${mtu.clampMss.ipv6}` : 'off',
    ratio(mtu.envelopesPerPacket.in),
    ratio(mtu.envelopesPerPacket.out),
    String(mtu.incomplete),
  ];
}

function proofLines(proofs: readonly Proof[], asked: boolean | undefined): string[] {
  if (!asked) return [];
  if (proofs.length === 0) return ['', 'Nothing to prove with: no peer that is up has proofAddresses.'];
  const rows = proofs.map(({ peer, address, octets, sent, answered, objection }) => [
    peer,
    address,
    String(octets),
    answered === sent ? 'both ways, in one piece' : (objection ?? `${answered} of ${sent} came back`),
  ]);
  return ['', ...table(['PEER', 'ADDRESS', 'DF PACKET', 'RESULT'], rows)];
}

function prove(peers: readonly PeerStatus[], octets: number): Promise<Proof[]> {
  const pairs = peers
    .filter(({ state }) => state === 'up')
    .flatMap(({ name, proofAddresses }) => proofAddresses.map((address) => ({ peer: name, address })));
  return Promise.all(pairs.map(({ peer, address }) => proofOf(peer, address, octets)));
}

/** An echo carries its whole size both ways; DF keeps even the sender's kernel from cutting it. */
async function proofOf(peer: string, address: string, octets: number): Promise<Proof> {
  const words = ['-c', `${proofPackets}`, '-i', '0.2', '-W', '2', ...wholePacket(address, octets)];
  const { received, objection } = await ping(address, ...words);
  return { peer, address, octets, sent: proofPackets, answered: received, objection };
}
