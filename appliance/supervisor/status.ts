import type { TunnelStatus } from '../tunnel/status.ts';
import type { ServiceStatus } from './service-runner.ts';

export interface ApplianceStatus {
  readonly version: string;
  readonly uptimeSeconds: number;
  readonly state: 'up' | 'connecting' | 'down';
  /** The whole state in one sentence. */
  readonly sentence: string;
  /** Everything that is wrong, a sentence each. */
  readonly problems: readonly string[];
  /** What is no fault, and has to be known: which networks are reached under other addresses. */
  readonly notes: readonly string[];
  readonly configFile: string;
  /** Of the supervisor and all services together. */
  readonly residentOctets: number;
  /** Null as long as no configuration could be read, or while the tunnel service starts. */
  readonly tunnel: TunnelStatus | null;
  readonly services: readonly ServiceStatus[];
  readonly configuration: ConfigurationStatus;
  /** The interface of each zone. */
  readonly zones: Readonly<Record<string, string>>;
  /** What the box is made of, one line; null for the first moments of a life. */
  readonly hardware: string | null;
  readonly temperatureCelsius: number | null;
  /** Lines that standard output did not take. */
  readonly logLinesLost: number;
}

export interface ConfigurationStatus {
  /** `settled`: confirmed by proof. `trying`: on trial. `returned`: the one before is back and has to prove itself. */
  readonly state: 'settled' | 'trying' | 'returned';
  /** The first digits of the hash of what is in force; null as long as nothing is. */
  readonly generation: string | null;
  /** What the last proof said. */
  readonly proof: string;
}

/** What is known; the rest of a status follows from it. */
export interface ApplianceFacts extends Omit<ApplianceStatus, 'state' | 'sentence' | 'problems'> {
  /** A sentence: the configuration that is not in force and why. */
  readonly configProblem: string | null;
  readonly hostProblems: readonly string[];
}

export function applianceStatus(facts: ApplianceFacts): ApplianceStatus {
  const { configProblem, hostProblems, ...rest } = facts;
  const { tunnel, services } = facts;
  const refused = configProblem === null ? [] : [configProblem];
  const ailing = services.flatMap(({ problem }) => problem ?? []);
  const problems = [...new Set([...refused, ...hostProblems, ...(tunnel?.problems ?? []), ...ailing])];
  const state = problems.length > 0 ? 'down' : (tunnel?.state ?? 'connecting');
  // A refused new configuration is a problem, but the tunnel of the old one may well be up.
  const working = tunnel?.state === 'up';
  return { ...rest, state: working ? 'up' : state, sentence: problems[0] ?? sentence(state, tunnel), problems };
}

function sentence(state: ApplianceStatus['state'], tunnel: TunnelStatus | null): string {
  if (tunnel === null) return 'Starting.';
  const names = (wanted: (state: string) => boolean) =>
    tunnel.peers.filter((peer) => wanted(peer.state)).map(({ name }) => name);
  const up = names((each) => each === 'up');
  if (tunnel.role === 'portal') return `The portal accepts its boxes: ${up.length} of ${tunnel.peers.length} are up.`;
  if (state === 'up') return `The tunnel to ${up.join(', ')} is up.`;
  return `Calling ${names((each) => each !== 'up').join(', ')}.`;
}
