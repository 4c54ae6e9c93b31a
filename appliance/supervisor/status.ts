import type { TunnelStatus } from '../tunnel/status.ts';

export interface ApplianceStatus {
  readonly version: string;
  readonly uptimeSeconds: number;
  readonly state: 'up' | 'connecting' | 'down';
  /** The whole state in one sentence. */
  readonly sentence: string;
  /** Everything that is wrong, a sentence each. */
  readonly problems: readonly string[];
  readonly configFile: string;
  readonly residentOctets: number;
  /** Null as long as no configuration could be read. */
  readonly tunnel: TunnelStatus | null;
}

export function applianceStatus(facts: {
  readonly version: string;
  readonly uptimeSeconds: number;
  readonly configFile: string;
  readonly residentOctets: number;
  readonly configProblem: string | null;
  readonly tunnel: TunnelStatus | null;
}): ApplianceStatus {
  const { configProblem, tunnel, ...rest } = facts;
  const refused = configProblem === null ? [] : [refusal(facts.configFile, configProblem, tunnel !== null)];
  const problems = [...refused, ...(tunnel?.problems ?? [])];
  const state = problems.length > 0 ? 'down' : (tunnel?.state ?? 'connecting');
  // A refused new configuration is a problem, but the tunnel of the old one may well be up.
  const working = tunnel?.state === 'up';
  return {
    ...rest,
    state: working ? 'up' : state,
    sentence: problems[0] ?? sentence(state, tunnel),
    problems,
    tunnel,
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
