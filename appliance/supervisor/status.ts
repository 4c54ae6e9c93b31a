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
  readonly configFile: string;
  /** Of the supervisor and all services together. */
  readonly residentOctets: number;
  /** Null as long as no configuration could be read, or while the tunnel service starts. */
  readonly tunnel: TunnelStatus | null;
  readonly services: readonly ServiceStatus[];
  /** Lines that standard output did not take. */
  readonly logLinesLost: number;
}

export interface ApplianceFacts {
  readonly version: string;
  readonly uptimeSeconds: number;
  readonly configFile: string;
  readonly residentOctets: number;
  readonly configProblem: string | null;
  /** Whether some configuration is in force. */
  readonly configured: boolean;
  readonly tunnel: TunnelStatus | null;
  readonly services: readonly ServiceStatus[];
  readonly logLinesLost: number;
}

export function applianceStatus(facts: ApplianceFacts): ApplianceStatus {
  const { configProblem, configured, tunnel, services, ...rest } = facts;
  const refused = configProblem === null ? [] : [refusal(facts.configFile, configProblem, configured)];
  const ailing = services.flatMap(({ problem }) => problem ?? []);
  const problems = [...new Set([...refused, ...(tunnel?.problems ?? []), ...ailing])];
  const state = problems.length > 0 ? 'down' : (tunnel?.state ?? 'connecting');
  // A refused new configuration is a problem, but the tunnel of the old one may well be up.
  const working = tunnel?.state === 'up';
  return {
    ...rest,
    state: working ? 'up' : state,
    sentence: problems[0] ?? sentence(state, tunnel),
    problems,
    tunnel,
    services,
  };
}

function refusal(file: string, problem: string, keepsOld: boolean): string {
  const consequence = keepsOld ? 'the one before stays in force' : 'nothing runs until it is mended';
  return `The configuration ${file} is refused, ${consequence}: ${problem.replaceAll('\n', '; ')}.`;
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
