/** What a box tells its portal of itself: the body of `POST /device/1/status`. Pure. */
import type { TunnelStatus } from '../tunnel/status.ts';
import type { Update } from './portal-release.ts';
import type { ApplianceStatus } from './status.ts';

export interface Report {
  readonly version: string;
  readonly health: 'up' | 'degraded' | 'down';
  readonly doctor: string;
  readonly hardware?: string;
  readonly appliedRevision: number;
  readonly confirmedRevision: number;
  readonly refused?: Refused;
  readonly update?: Update;
  readonly tunnel?: {
    readonly lossPermille: number;
    readonly roundTripMs: number;
    readonly receivedKbps: number;
    readonly sentKbps: number;
  };
}

/** A configuration that this box would not have, or took back. */
export interface Refused {
  readonly revision: number;
  readonly problem: string;
  readonly rolledBack: boolean;
}

/** What the tunnels had carried at a moment; milliseconds on a clock that never goes backwards. */
export interface Carried {
  readonly at: number;
  readonly packetsIn: number;
  readonly lostIn: number;
  readonly octetsIn: number;
  readonly octetsOut: number;
}

export function carried(tunnel: TunnelStatus | null, at: number): Carried {
  const sum = (field: 'packetsIn' | 'lostIn' | 'octetsIn' | 'octetsOut') =>
    tunnel?.peers.reduce((total, { traffic }) => total + traffic[field], 0) ?? 0;
  return {
    at,
    packetsIn: sum('packetsIn'),
    lostIn: sum('lostIn'),
    octetsIn: sum('octetsIn'),
    octetsOut: sum('octetsOut'),
  };
}

export interface ReportFacts {
  readonly status: ApplianceStatus;
  /** Of the configuration in force; null when there is none. */
  readonly appliedRevision: number | null;
  readonly confirmedRevision: number;
  readonly refused: Refused | null;
  /** Of the box itself; null when the portal has never wanted another release here. */
  readonly update: Update | null;
  readonly before: Carried;
  readonly now: Carried;
  /** To the portal and back. */
  readonly roundTripMs: number;
}

const longestSentence = 500;

export function reportOf(facts: ReportFacts): Report {
  const { status, appliedRevision, confirmedRevision, refused, update } = facts;
  const tunnelUp = status.tunnel?.state === 'up';
  return {
    version: status.version,
    health: tunnelUp ? (status.problems.length > 0 ? 'degraded' : 'up') : 'down',
    doctor: [...status.sentence].slice(0, longestSentence).join(''),
    ...(status.hardware === null ? {} : { hardware: status.hardware }),
    appliedRevision: appliedRevision ?? 0,
    confirmedRevision,
    ...(refused === null ? {} : { refused: { ...refused, problem: refused.problem.slice(0, longestSentence) } }),
    ...(update === null ? {} : { update }),
    ...(tunnelUp ? { tunnel: rates(facts) } : {}),
  };
}

function rates({ before, now, roundTripMs }: ReportFacts): NonNullable<Report['tunnel']> {
  const seconds = Math.max(1, (now.at - before.at) / 1000);
  // A restart of the tunnel service counts from zero again.
  const since = (field: Exclude<keyof Carried, 'at'>) => Math.max(0, now[field] - before[field]);
  const [came, lost] = [since('packetsIn'), since('lostIn')];
  return {
    lossPermille: came + lost === 0 ? 0 : Math.round((1000 * lost) / (came + lost)),
    roundTripMs: Math.round(roundTripMs * 10) / 10,
    receivedKbps: Math.round((since('octetsIn') * 8) / 1000 / seconds),
    sentKbps: Math.round((since('octetsOut') * 8) / 1000 / seconds),
  };
}
