/** Looks at each layer from the outside, as a person with a shell would. Takes a few seconds, all layers at once. */
import { execFile } from 'node:child_process';
import { createSocket, type Socket } from 'node:dgram';
import { Resolver } from 'node:dns/promises';
import { statfsSync, unlinkSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { promisify } from 'node:util';
import type { Config } from '../../config/schema.ts';
import { familyOf } from '../../lib/ip.ts';
import { ping, wholePacket } from '../ping.ts';
import { proofTargets } from '../proof.ts';
import type { Facts, InsideFacts, PathFacts } from './facts.ts';

const run = promisify(execFile);
const patienceSeconds = 1;
const farthestHop = 8;
const echoes = 40;

/** One question waits no longer than the others. */
const ask = (target: string, ...words: string[]) => ping(target, '-W', `${patienceSeconds}`, ...words);

export async function routerFacts(portal: string): Promise<Facts['router'] & { readonly device: string | null }> {
  try {
    const { stdout } = await run('ip', ['-j', 'route', 'get', portal]);
    const [route] = JSON.parse(stdout) as { gateway?: string; dev?: string; type?: string }[];
    const device = route?.dev ?? null;
    if (route?.type === 'unreachable') return { gateway: null, reachable: false, device: null };
    // A portal on the very link needs no router.
    const gateway = route?.gateway ?? portal;
    const { received } = await ask(gateway, '-c', '1');
    return { gateway, device, reachable: received > 0 || (await isNeighbour(gateway)) };
  } catch {
    return { gateway: null, reachable: false, device: null };
  }
}

/** Whether the link layer has seen it: a router may well answer no pings. */
async function isNeighbour(address: string): Promise<boolean> {
  const { stdout } = await run('ip', ['-j', 'neigh', 'show', address]);
  const [neighbour] = JSON.parse(stdout || '[]') as { state?: string[] }[];
  return (
    neighbour?.state?.some((state) => ['REACHABLE', 'PERMANENT', 'NOARP', 'DELAY', 'STALE'].includes(state)) ?? false
  );
}

export async function pathFacts(portal: string, gateway: string | null): Promise<PathFacts> {
  const series = ['-c', `${echoes}`, '-i', '0.05'];
  const [echo, routerEcho, hops, refused, tcp, http, largestEcho] = await Promise.all([
    ask(portal, ...series),
    gateway === null ? { sent: 0, received: 0 } : ask(gateway, ...series),
    hopsTo(portal),
    isRefused(portal),
    tcpAnswer(portal),
    httpAnswer(portal),
    largestEchoOf(portal),
  ]);
  return { portal, echo, routerEcho, hops, refused, tcp, http, largestEcho };
}

async function hopsTo(portal: string): Promise<string[]> {
  const distances = Array.from({ length: farthestHop }, (_, index) => `${index + 1}`);
  const answers = await Promise.all(distances.map((ttl) => ask(portal, '-c', '2', '-i', '0.3', '-t', ttl)));
  return answers.flatMap(({ errors }) => {
    const exceeded = errors.find(({ said }) => /time to live|hop limit/i.test(said));
    return exceeded ? [exceeded.from] : [];
  });
}

/** Whether ICMP says that nobody listens on UDP 500. */
function isRefused(portal: string): Promise<boolean> {
  const socket = createSocket(familyOf(portal) === 4 ? 'udp4' : 'udp6');
  return new Promise<boolean>((resolve) => {
    const timer = setTimeout(() => resolve(false), patienceSeconds * 1000);
    socket.on('error', (error: NodeJS.ErrnoException) => {
      clearTimeout(timer);
      resolve(error.code === 'ECONNREFUSED');
    });
    socket.connect(500, portal, (error?: Error) => {
      if (error) return;
      // Not IKE, and too short to be: whoever listens drops it without a word.
      for (const delay of [0, 200, 400]) setTimeout(() => sendMark(socket), delay);
    });
  }).finally(() => socket.close());
}

/** An earlier answer may have closed it. */
function sendMark(socket: Socket): void {
  try {
    socket.send('?', () => {});
  } catch {
    // Not connected any more: the answer is known already.
  }
}

function tcpAnswer(portal: string): Promise<PathFacts['tcp']> {
  return new Promise((resolve) => {
    const socket = connect({ host: portal, port: 4500, timeout: patienceSeconds * 1000 });
    const done = (answer: PathFacts['tcp']) => {
      socket.destroy();
      resolve(answer);
    };
    socket.on('connect', () => done('accepted'));
    socket.on('timeout', () => done('silent'));
    socket.on('error', (error: NodeJS.ErrnoException) => done(error.code === 'ECONNREFUSED' ? 'refused' : 'silent'));
  });
}

/** A portal serves no HTTP: who answers is somebody else. */
async function httpAnswer(portal: string): Promise<string | null> {
  const host = familyOf(portal) === 4 ? portal : `[${portal}]`;
  try {
    const signal = AbortSignal.timeout(patienceSeconds * 2000);
    const { status, headers } = await fetch(`http://${host}/`, { redirect: 'manual', signal });
    const to = headers.get('location');
    return `HTTP ${status}${to ? ` to ${to.slice(0, 80)}` : ''}`;
  } catch {
    return null;
  }
}

async function largestEchoOf(portal: string): Promise<number | null> {
  const sizes = [1500, 1492, 1460, 1400, 1280, 600];
  const answers = await Promise.all(
    sizes.map((size) => ask(portal, '-c', '2', '-i', '0.3', ...wholePacket(portal, size))),
  );
  return sizes.find((_, index) => (answers[index]?.received ?? 0) > 0) ?? null;
}

export async function insideFacts(config: Config): Promise<InsideFacts[]> {
  return Promise.all(
    proofTargets(config).map(async (target): Promise<InsideFacts> => {
      const source = config.tunnel.sourceAddresses.find((address) => familyOf(address) === familyOf(target));
      const from = source ? ['-I', source] : [];
      const [small, big] = await Promise.all([
        // A router takes three seconds to say that a host is not there.
        ask(target, '-c', '5', '-i', '0.9', ...from),
        ask(target, '-c', '3', '-i', '0.3', ...wholePacket(target, config.tunnel.mtu), ...from),
      ]);
      const unreachable = small.errors.find(({ said }) => /unreachable|prohibited|filtered/i.test(said));
      const own = config.tunnel.sourceAddresses;
      return {
        target,
        small: small.received > 0,
        large: big.received > 0,
        unreachableFrom: unreachable && !own.includes(unreachable.from) ? unreachable.from : null,
      };
    }),
  );
}

export async function resolverFacts(config: Config): Promise<Facts['resolvers']> {
  const { forward = [], zones = [] } = config.dns ?? {};
  const asked = [
    ...forward.flatMap(({ servers, via }) => servers.map((server) => ({ ...server, via, source: undefined }))),
    ...zones.flatMap(({ primaries, source }) =>
      primaries.map((server) => ({ ...server, via: 'tunnel' as const, source })),
    ),
  ];
  return Promise.all(
    asked.map(async ({ address, port, via, source }) => {
      const server = familyOf(address) === 4 ? `${address}:${port}` : `[${address}]:${port}`;
      const resolver = new Resolver({ timeout: 1000, tries: 2 });
      resolver.setServers([server]);
      if (source) resolver.setLocalAddress(...localOf(source));
      const error = await resolver.resolve4('example.com').then(
        () => null,
        (failure: NodeJS.ErrnoException) => failure.code,
      );
      // "There is no such name", "I will not tell you" are answers.
      return { server, via, answers: !['ETIMEOUT', 'ECONNREFUSED', 'ENETUNREACH'].includes(error ?? '') };
    }),
  );
}

function localOf(source: string): [string, string?] {
  return familyOf(source) === 4 ? [source] : ['0.0.0.0', source];
}

/** Little space is said before it is none. */
export function diskFacts(directory: string): Facts['disk'] {
  const probe = `${directory}/.doctor`;
  let freePercent = 0;
  try {
    const { bavail, blocks } = statfsSync(directory);
    freePercent = blocks === 0 ? 100 : (100 * bavail) / blocks;
    writeFileSync(probe, 'x'.repeat(16_384));
    unlinkSync(probe);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    const what = code === 'ENOSPC' ? 'is full' : `cannot be written (${code})`;
    return { freePercent, problem: `The disk of the box ${what}: leases and zones are not kept over a restart.` };
  }
  const problem = freePercent < 2 ? `The disk of the box is nearly full: ${freePercent.toFixed(1)} % are free.` : null;
  return { freePercent, problem };
}

/** No clock is needed for the tunnel; certificates, logs and the LAN's time are. `builtAt`: milliseconds, when this program was made. */
export function clockProblem(now: number, builtAt: number): string | null {
  const tenYears = 3650 * 86_400_000;
  if (now >= builtAt - 86_400_000 && now <= builtAt + tenYears) return null;
  return `The clock of the box is wrong: it says ${new Date(now).toISOString().slice(0, 16)} UTC.`;
}
