/**
 * `moat doctor`: examines and diagnoses, in the process of the command: an examination touches much that is broken, and must not
 * take the box down with it.
 */
import { statSync } from 'node:fs';
import { mappingNotes } from '../../config/mapping.ts';
import type { Config } from '../../config/schema.ts';
import { readLinks } from '../../host/links.ts';
import type { PeerStatus } from '../../tunnel/status.ts';
import type { ApplianceStatus } from '../status.ts';
import { diagnose, portalAlive } from './diagnose.ts';
import { clockProblem, insideFacts, pathFacts, resolverFacts, routerFacts } from './examine.ts';
import type { Diagnosis, Facts } from './facts.ts';

const verdictMs = 12_000;

/** What only the supervisor knows. It goes over the control socket as JSON: what is secret says so in its place. */
export interface Patient {
  readonly config: Config | null;
  /** The interface of each zone. */
  readonly devices: Readonly<Record<string, string>>;
  readonly hostProblems: readonly string[];
  readonly disk: Facts['disk'];
  readonly configProblem: string | null;
}

export interface Asking {
  status(): Promise<ApplianceStatus>;
  /** New keys for every tunnel: whether they come shows whether IKE still passes, before anybody has noticed. */
  rekey(): Promise<unknown>;
}

export async function examine(patient: Patient, ask: Asking): Promise<Diagnosis> {
  const { config } = patient;
  const status = await ask.status();
  if (config?.role === 'home') await ask.rekey();
  const troubled = status.tunnel?.peers.find(({ state }) => state !== 'up')?.name;
  const called = config?.peers.find(({ name, addresses }) => addresses.length > 0 && name === (troubled ?? name));
  const portal = config?.role === 'home' ? (called?.addresses[0] ?? null) : null;
  const router = portal === null ? { gateway: null, reachable: false, device: null } : await routerFacts(portal);
  const [path, inside, resolvers, wild] = await Promise.all([
    portal === null ? null : pathFacts(portal, router.gateway),
    config ? insideFacts(config) : [],
    config ? resolverFacts(config) : [],
    wildFacts(patient, router.device),
  ]);
  const after = await decided(ask, called?.name, path !== null && portalAlive(path));
  return diagnose({
    configuration: { problem: patient.configProblem, inForce: config !== null },
    box: boxFacts(after),
    wild,
    router,
    path,
    tunnel: tunnelFacts(called?.name ?? null, status, after),
    inside,
    resolvers,
    disk: patient.disk,
    clockProblem: clockProblem(Date.now(), statSync(new URL('../../main.ts', import.meta.url)).mtimeMs),
    lan: await lanFacts(patient),
    overlaps: patient.hostProblems.filter((text) => text.includes('overlaps')),
    mappings: mappingNotes(config?.peers ?? []),
  });
}

/**
 * The status once a call that is under way has its outcome. What a portal says before it has proven who it is may be forged, and IKE
 * believes it after ten seconds only (RFC 7296 2.21.1): a portal that is alive is given that time.
 */
async function decided(ask: Asking, peer: string | undefined, alive: boolean): Promise<ApplianceStatus> {
  const deadline = performance.now() + verdictMs;
  while (true) {
    const status = await ask.status();
    const found = status.tunnel?.peers.find(({ name }) => name === peer);
    const open = found?.state === 'connecting' && found.failure === null;
    if (!alive || !open || performance.now() > deadline) return status;
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
}

function boxFacts({ tunnel, services }: ApplianceStatus): Facts['box'] {
  const own = services.find(({ name }) => name === 'tunnel')?.problem;
  const ofPeers = tunnel?.peers.flatMap(({ problem }) => problem ?? []) ?? [];
  const device = tunnel?.problems.find((problem) => !ofPeers.includes(problem));
  return {
    tunnelProblem: device ?? own ?? null,
    serviceProblems: services.flatMap(({ name, problem }) => (name !== 'tunnel' && problem !== null ? [problem] : [])),
  };
}

async function wildFacts({ config, devices }: Patient, routeDevice: string | null): Promise<Facts['wild']> {
  const zone = config?.zones.find(({ kind }) => kind === 'wild');
  const device = (zone ? devices[zone.name] : undefined) ?? routeDevice;
  const link = (await readLinks()).find(({ name }) => name === device);
  return {
    device,
    present: link !== undefined,
    up: link?.up ?? false,
    carrier: link?.carrier ?? false,
    addresses: link?.addresses.filter(({ scope }) => scope === 'global').map(({ address }) => address) ?? [],
  };
}

async function lanFacts({ config, devices }: Patient): Promise<Facts['lan']> {
  const links = await readLinks();
  return (config?.zones ?? []).flatMap(({ name, kind }) => {
    const device = devices[name];
    if (kind === 'wild' || device === undefined) return [];
    return [{ zone: name, device, carrier: links.find((link) => link.name === device)?.carrier ?? false }];
  });
}

function tunnelFacts(name: string | null, before: ApplianceStatus, after: ApplianceStatus): Facts['tunnel'] {
  const find = ({ tunnel }: ApplianceStatus) => tunnel?.peers.find((peer) => peer.name === name);
  const [old, peer] = [find(before), find(after)];
  if (!peer) return null;
  const packetsIn = peer.traffic.packetsIn - (old?.traffic.packetsIn ?? 0);
  return {
    peer: peer.name,
    up: peer.state === 'up' && hasNewKeys(old, peer),
    failure: peer.failure,
    problem: peer.problem,
    natLocal: peer.ike?.natLocal ?? false,
    natRemote: peer.ike?.natRemote ?? false,
    packetsIn,
    packetsOut: peer.traffic.packetsOut - (old?.traffic.packetsOut ?? 0),
    lossPercent: lossPercent(old, peer),
  };
}

function hasNewKeys(before: PeerStatus | undefined, after: PeerStatus): boolean {
  const old = before?.ike?.children.map(({ spiIn }) => spiIn) ?? [];
  return after.ike?.children.some(({ spiIn }) => !old.includes(spiIn)) ?? false;
}

/** Of what came during the examination; too little of it says nothing. */
function lossPercent(before: PeerStatus | undefined, after: PeerStatus): number {
  const came = after.traffic.packetsIn - (before?.traffic.packetsIn ?? 0);
  const lost = after.traffic.lostIn - (before?.traffic.lostIn ?? 0);
  return came + lost < 50 ? 0 : (100 * lost) / (came + lost);
}
