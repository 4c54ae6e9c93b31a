/** What `moat mtu` and the status say of the virtually-large MTU of one peer's tunnel. Pure. */
import type { SaStats, TunnelStats } from '../../native/index.ts';

export interface MtuStatus {
  /** What was negotiated; `tunnel` is one packet per envelope, as with peers that have no AGGFRAG. */
  readonly mode: 'aggfrag' | 'tunnel';
  /** Plain tunnel mode carries a packet that does not fit the path only in an envelope that IP fragments. */
  readonly fragmentsEnvelopes: boolean;
  /** Octets of the largest outer IP packet that we send. */
  readonly pathMtu: number;
  readonly pathMtuSource: 'probed' | 'assumed';
  readonly foundSecondsAgo: number | null;
  readonly searching: boolean;
  readonly blackHoles: number;
  /** Octets of ESP payload in our largest envelope. */
  readonly envelopePayload: number;
  readonly clampMss: { readonly ipv4: number; readonly ipv6: number } | null;
  /** Of the SAs that are there now; null before the first packet. */
  readonly envelopesPerPacket: { readonly in: number | null; readonly out: number | null };
  /** Inner packets that began to arrive and were given up: an envelope of theirs was lost. */
  readonly incomplete: number;
}

/** `own`: the SAs of that tunnel. Null before an outbound SA is active. */
export function mtuStatus(
  tunnel: TunnelStats | undefined,
  own: readonly SaStats[],
  tooBig: 'fragment' | 'ptb',
): MtuStatus | null {
  const outbound = tunnel?.outbound;
  if (!outbound) return null;
  const { mode, pathMtu, pathMtuSource, foundAgoMs, searching, blackHoles, envelopePayload, clampMss } = outbound;
  return {
    mode,
    fragmentsEnvelopes: mode === 'tunnel' && tooBig === 'fragment',
    pathMtu,
    pathMtuSource,
    foundSecondsAgo: foundAgoMs === null ? null : foundAgoMs / 1000,
    searching,
    blackHoles,
    envelopePayload,
    clampMss,
    envelopesPerPacket: { in: ratio(own, 'inbound'), out: ratio(own, 'outbound') },
    incomplete: own.reduce((sum, { incomplete }) => sum + incomplete, 0),
  };
}

function ratio(sas: readonly SaStats[], direction: SaStats['direction']): number | null {
  const chosen = sas.filter((sa) => sa.direction === direction);
  const packets = chosen.reduce((sum, sa) => sum + sa.packets, 0);
  const envelopes = chosen.reduce((sum, sa) => sum + sa.envelopes, 0);
  return packets === 0 ? null : envelopes / packets;
}
