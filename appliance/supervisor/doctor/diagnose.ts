/**
 * Theory of operation. The layers are walked from the cable upwards, and the first that is broken is at fault: nothing above it can
 * work. What stands beside the way (disk, clock, names) is judged after it. Each rule is one row of a table.
 */
import { refusals } from '../../tunnel/home.ts';
import type { Diagnosis, Facts, Finding, Layer, PathFacts } from './facts.ts';

interface Rule {
  readonly layer: Layer;
  /** The sentence when the layer is at fault. */
  readonly fault: (facts: Facts) => string | null;
}

const lossWorthSaying = 3;

export function diagnose(facts: Facts): Diagnosis {
  const findings = rules.flatMap(({ layer, fault }): Finding[] => {
    const sentence = fault(facts);
    return sentence === null ? [] : [{ layer, sentence }];
  });
  const [first, ...others] = findings;
  // Above a broken layer everything looks broken; what stands beside the way is worth saying.
  const further = others.filter(({ layer }) => beside.has(layer));
  const fine: Finding = { layer: 'none', sentence: fineSentence(facts) };
  return { ...(first ?? fine), further, evidence: evidence(facts) };
}

const beside: ReadonlySet<Layer> = new Set<Layer>(['configuration', 'dns', 'clock', 'disk', 'lan', 'box']);

const rules: readonly Rule[] = [
  { layer: 'configuration', fault: ({ configuration: { problem, inForce } }) => (inForce ? null : problem) },
  { layer: 'box', fault: ({ box }) => box.tunnelProblem },
  { layer: 'link', fault: link },
  { layer: 'address', fault: address },
  { layer: 'router', fault: router },
  { layer: 'provider', fault: captive },
  { layer: 'ike', fault: identity },
  { layer: 'link', fault: homeLoss },
  { layer: 'provider', fault: loss },
  { layer: 'provider', fault: provider },
  { layer: 'portal', fault: portalRefuses },
  { layer: 'udp', fault: udp },
  { layer: 'portal', fault: portalSilent },
  { layer: 'pathMtu', fault: pathMtu },
  { layer: 'esp', fault: esp },
  { layer: 'inside', fault: inside },
  { layer: 'dns', fault: names },
  { layer: 'disk', fault: ({ disk }) => disk.problem },
  { layer: 'clock', fault: ({ clockProblem }) => clockProblem },
  { layer: 'box', fault: ({ box }) => box.serviceProblems[0] ?? null },
  { layer: 'lan', fault: lan },
  { layer: 'lan', fault: ({ overlaps }) => overlaps[0] ?? null },
  { layer: 'configuration', fault: ({ configuration }) => configuration.problem },
];

function link({ wild: { device, present, up, carrier } }: Facts): string | null {
  if (device === null) return null;
  if (!present) return `The box has no port ${device}, which the configuration says is the one to the internet.`;
  if (!up) return `The port to the internet (${device}) is switched off.`;
  return carrier
    ? null
    : `No cable is plugged into the port to the internet (${device}), or nothing is on at its other end.`;
}

function address({ wild: { device, addresses } }: Facts): string | null {
  if (device === null || addresses.length > 0) return null;
  return `The port to the internet (${device}) has no address: the provider's router gives none.`;
}

function router({ path, router: { gateway, reachable } }: Facts): string | null {
  if (path === null) return null;
  if (gateway === null)
    return `There is no router towards ${path.portal}: the provider's router gave an address but no way out.`;
  if (reachable || path.hops.length > 0) return null;
  return `The provider's router (${gateway}) does not answer: it is off, or its address is wrong.`;
}

function captive({ path }: Facts): string | null {
  if (!path?.http) return null;
  return `The provider answers in the place of others (${path.http}): it wants somebody to log in on a web page first.`;
}

const ownFault: ReadonlySet<string> = new Set([...refusals, 'invalidAnswer']);

/** The portal was reached and has answered: what it said is the fault. */
function identity({ tunnel }: Facts): string | null {
  if (!tunnel || tunnel.up || tunnel.failure === null || !ownFault.has(tunnel.failure)) return null;
  return tunnel.problem;
}

/** Whether somebody at the portal's address gave any sign of life. */
export function portalAlive({ echo, refused, tcp }: PathFacts): boolean {
  return echo.received > 0 || refused || tcp !== 'silent';
}

/** Down, or of no use: the way is what is to be judged. */
function isDown({ tunnel, inside }: Facts): boolean {
  return tunnel !== null && (!tunnel.up || (inside.length > 0 && inside.every(({ small }) => !small)));
}

function provider(facts: Facts): string | null {
  const {
    path,
    router: { gateway },
  } = facts;
  if (!path || !isDown(facts) || portalAlive(path)) return null;
  const beyond = path.hops.filter((hop) => hop !== gateway);
  if (beyond.length > 0) return null;
  return `The provider does not carry our packets: ${gateway ?? 'the router'} answers, and nothing behind it does.`;
}

function portalRefuses({ path, tunnel }: Facts): string | null {
  if (!path?.refused || !tunnel || tunnel.up) return null;
  return `The portal ${path.portal} is there, but no IKE runs on it: its administrator has to start it.`;
}

function udp(facts: Facts): string | null {
  const { path, tunnel } = facts;
  if (!path || !tunnel || tunnel.up || !portalAlive(path)) return null;
  return `Something between here and ${path.portal} eats UDP 500 and 4500: the portal answers everything else.`;
}

function portalSilent(facts: Facts): string | null {
  const { path, tunnel } = facts;
  if (!path || !tunnel || tunnel.up) return null;
  const last = path.hops.at(-1);
  return `The portal ${path.portal} does not answer, and the way to it works as far as ${last ?? 'can be seen'}: it is down, or its own provider is.`;
}

function lossOf({ sent, received }: { readonly sent: number; readonly received: number }): number {
  return sent === 0 || received === 0 ? 0 : (100 * (sent - received)) / sent;
}

function homeLoss({ path, router: { gateway } }: Facts): string | null {
  const percent = path ? lossOf(path.routerEcho) : 0;
  if (percent < lossWorthSaying) return null;
  return `${percent.toFixed(0)} % of the packets to the provider's router (${gateway}) are lost: the cable or the router is at fault.`;
}

function loss({ path, tunnel }: Facts): string | null {
  const percent = Math.max(path ? lossOf(path.echo) : 0, tunnel?.lossPercent ?? 0);
  if (percent < lossWorthSaying) return null;
  return `The provider loses ${percent.toFixed(0)} % of the packets between here and ${path?.portal ?? 'the other end'}, there and back.`;
}

/** Envelopes are no larger than the path; it is a fault only if large packets do not come through all the same. */
function pathMtu({ path, inside }: Facts): string | null {
  const broken = inside.find(({ small, large }) => small && !large);
  if (!broken) return null;
  const width = path?.largestEcho ? ` (the path carries ${path.largestEcho} octets)` : '';
  return `Small packets reach ${broken.target} and large ones do not: the path is narrower than it says${width}.`;
}

function silentInside({ inside }: Facts): boolean {
  return inside.length > 0 && inside.every(({ small }) => !small);
}

function esp(facts: Facts): string | null {
  const { tunnel, inside, path } = facts;
  if (!tunnel?.up || !silentInside(facts) || tunnel.packetsIn > 0) return null;
  if (inside.some(({ unreachableFrom }) => unreachableFrom !== null)) return null;
  const to = path?.portal ?? tunnel.peer;
  return `The portal ${to} answers, but nothing comes out of the tunnel: either what is in it is eaten on the way, or nothing behind the portal answers.`;
}

function inside({ tunnel, inside: targets }: Facts): string | null {
  if (!tunnel?.up) return null;
  const silent = targets.filter(({ small }) => !small);
  if (silent.length === 0) return null;
  const said = silent.find(({ unreachableFrom }) => unreachableFrom !== null)?.unreachableFrom;
  const names = silent.map(({ target }) => target).join(', ');
  return `The tunnel works, and inside the company ${names} does not answer${said ? ` (says ${said})` : ''}: the company's network is at fault.`;
}

function names({ resolvers, tunnel }: Facts): string | null {
  const dead = resolvers.find(({ answers, via }) => !answers && (via === 'wan' || tunnel?.up === true));
  if (!dead) return null;
  const whose = dead.via === 'wan' ? "the provider's" : "the company's";
  return `Packets pass, but ${whose} name server ${dead.server} does not answer.`;
}

function lan({ lan: zones }: Facts): string | null {
  const dark = zones.find(({ carrier }) => !carrier);
  return dark ? `Nothing is plugged into the port of the zone ${dark.zone} (${dark.device}), or it is off.` : null;
}

function fineSentence({ tunnel, inside: targets }: Facts): string {
  if (!tunnel) return 'Everything works, as far as this box can see.';
  const answered =
    targets.length > 0 ? `, and ${targets.map(({ target }) => target).join(', ')} answers behind it` : '';
  return `Everything works: the tunnel to ${tunnel.peer} is up${answered}.`;
}

function evidence({ wild, router: way, path, tunnel, inside: targets, resolvers, disk, mappings }: Facts): string[] {
  const lines = [
    `link      ${wild.device ?? 'no zone is the wild side'}: ${wild.carrier ? 'carrier' : 'no carrier'}`,
    `address   ${wild.addresses.join(', ') || 'none'}`,
    `router    ${way.gateway ?? 'none'}${way.gateway === null ? '' : way.reachable ? ', reachable' : ', silent'}`,
  ];
  if (path) {
    lines.push(
      `path      ${path.portal}: ${path.echo.received} of ${path.echo.sent} echoes, hops ${path.hops.join(' ') || 'none'}`,
      `port      UDP 500 ${path.refused ? 'refused' : 'not refused'}, TCP ${path.tcp}, largest echo ${path.largestEcho ?? 'none'}`,
    );
  }
  if (tunnel) lines.push(tunnelEvidence(tunnel));
  lines.push(
    ...targets.map(
      (each) => `inside    ${each.target}: ${each.small ? 'answers' : 'silent'}, large ${each.large ? 'too' : 'not'}`,
    ),
    ...resolvers.map(({ server, via, answers }) => `dns       ${server} by ${via}: ${answers ? 'answers' : 'silent'}`),
    ...mappings.map((sentence) => `mapping   ${sentence}`),
    `disk      ${disk.freePercent.toFixed(0)} % free`,
  );
  return lines;
}

function tunnelEvidence({ peer, up, failure, natLocal, natRemote, lossPercent }: NonNullable<Facts['tunnel']>): string {
  const nat = natLocal ? 'we are behind a NAT' : natRemote ? 'the portal is behind a NAT' : 'no NAT seen';
  return `tunnel    ${peer}: ${up ? 'up' : (failure ?? 'connecting')}, ${nat}, ${lossPercent.toFixed(1)} % of ESP to us lost`;
}
