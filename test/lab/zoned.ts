/** Homes and portals whose interfaces belong to zones, and what stories do to their services. */
import type { ApplianceStatus } from '../../appliance/supervisor/status.ts';
import { unpacked } from '../interop/roots.ts';
import { buildAddon, Moat, type MoatConfig } from './moat.ts';
import { type Credentials, homeConfig, newCredentials, portalConfig } from './moat-pair.ts';
import { expect, type Stage } from './story.ts';
import { addresses, networks } from './topology.ts';
import type { World } from './world.ts';

type Address = { readonly v4: string; readonly v6: string };

/** An own address as a zone has it, one of each family. */
export function own({ v4, v6 }: Address, v4Length = 24): string[] {
  return [`${v4}/${v4Length}`, `${v6}/64`];
}

/** A home with work and kids, and names for work. */
export function withZones(config: MoatConfig): MoatConfig {
  const { moatLan, moatKids } = addresses;
  return {
    ...config,
    zones: [
      { name: 'wild', kind: 'wild', interface: 'wan' },
      { name: 'work', kind: 'work', interface: 'lan', addresses: own(moatLan) },
      { name: 'kids', kind: 'kids', interface: 'kids', addresses: own(moatKids) },
    ],
    dns: { listen: [{ address: moatLan.v4 }], clients: ['10.77.1.0/24'] },
  };
}

/** A home with every service: the time daemon measures and serves, and does not touch the machine's clock. */
async function withServices(config: MoatConfig): Promise<MoatConfig> {
  return { ...withZones(config), ...(await lanServices()) };
}

/** A world with kids, its portal running, and the configuration of a home with every service, for the story to start. */
export async function everyService(
  { world }: Stage,
  change: { home?: (config: MoatConfig) => MoatConfig; portal?: (config: MoatConfig) => MoatConfig } = {},
): Promise<{ lab: World; config: MoatConfig; credentials: Credentials }> {
  const lab = await world({ kids: true });
  await buildAddon();
  const credentials = newCredentials();
  const config = await withServices(homeConfig(lab, credentials));
  const office = portalConfig(lab, credentials);
  await Moat.start(lab.portal, { config: change.portal?.(office) ?? office });
  return { lab, config: change.home?.(config) ?? config, credentials };
}

/** What the work zone of a home is served, as sections of its configuration. */
export async function lanServices(): Promise<MoatConfig> {
  const { moatLan } = addresses;
  const folder = await unpacked('chrony');
  return {
    dns: { listen: [{ address: moatLan.v4 }], clients: ['10.77.1.0/24'] },
    ntp: {
      listen: [moatLan.v4],
      clients: ['10.77.1.0/24'],
      steersClock: false,
      user: 'root',
      daemonCommand: [`${folder}/usr/sbin/chronyd`],
      clientCommand: [`${folder}/usr/bin/chronyc`],
    },
    dhcp: {
      networks: [
        {
          zone: 'work',
          interface: 'lan',
          address: moatLan.v4,
          prefix: '10.77.1.0/24',
          ranges: [{ first: '10.77.1.150', last: '10.77.1.199' }],
        },
      ],
    },
  };
}

/** Without zones the portal would send what the company says to anybody else into the clear. */
export function portalZones(config: MoatConfig, listeners: readonly string[] = []): MoatConfig {
  return {
    ...config,
    zones: [
      { name: 'wild', kind: 'wild', interface: 'wan', listeners },
      { name: 'corp', kind: 'work', interface: 'corp', addresses: own(addresses.portalCorp, 16) },
    ],
  };
}

/** Reads the new configuration; whether it proves itself shows later. */
export async function reconfigured(home: Moat, config: MoatConfig): Promise<void> {
  const { code, stderr } = await home.reconfigure(config);
  expect(code === 0, 'moat reload to succeed', stderr);
}

/** Ends one service as a crash would, and waits until that was noticed. When it was: milliseconds of `process.hrtime`. */
export async function killService(home: Moat, name: string): Promise<number> {
  const found = async (what: string, holds: (pid: number | null) => boolean) => {
    const patienceMs = 40_000; // killed again and again it is given pauses, the longest half a minute
    const running = ({ services }: ApplianceStatus) =>
      services.some((each) => each.name === name && holds(each.state === 'running' ? each.pid : null));
    const status = await home.until(what, running, patienceMs);
    return status.services.find((each) => each.name === name)?.pid ?? 0;
  };
  const pid = await found(`running ${name}`, (each) => each !== null);
  const atMs = Number(process.hrtime.bigint()) / 1e6;
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // Ended by somebody else, between the look and the kill.
  }
  await found(`without ${name} ${pid}`, (each) => each !== pid);
  return atMs;
}

/** The home of two employers: `base` is that of the first, and knows the second by `credentials`. */
function withSecond(base: MoatConfig, credentials: Credentials): MoatConfig {
  const { moatLan, moatLan2, moatKids, portal2 } = addresses;
  const [peer] = base.peers as Record<string, unknown>[];
  const { publicKey } = credentials.portal;
  const other = { ...peer, name: 'portal-2', id: 'portal-2.example', addresses: [portal2.v4], publicKey };
  return {
    ...base,
    tunnel: { networks: ['10.77.1.0/24', 'fd77:1::/64', '10.77.3.0/24', 'fd77:3::/64'] },
    peers: [peer, other],
    zones: [
      { name: 'wild', kind: 'wild', interface: 'wan' },
      { name: 'work', kind: 'work', interface: 'lan', addresses: own(moatLan), peers: ['portal'] },
      { name: 'work-2', kind: 'work', interface: 'lan2', addresses: own(moatLan2), peers: ['portal-2'] },
      { name: 'kids', kind: 'kids', interface: 'kids', addresses: own(moatKids) },
    ],
  };
}

/** Starts both portals of a world with kids and a second employer, and makes the home's configuration. `seen`: its networks, as each knows them. */
export async function startEmployers(
  lab: World,
  change: (home: MoatConfig) => MoatConfig,
  seen: readonly (readonly string[])[] = [Object.values(networks.lan), ['10.77.3.0/24', 'fd77:3::/64']],
): Promise<MoatConfig> {
  const [first, second] = [newCredentials(), newCredentials()];
  const other = portalConfig(lab, { ...second, home: first.home });
  const [box] = other.peers as object[];
  const [networksOfFirst, networksOfSecond] = seen;
  await Moat.start(lab.portal, {
    config: portalZones(portalConfig(lab, first, { peer: { networks: networksOfFirst } })),
  });
  await Moat.start(lab.host('portal2'), {
    config: portalZones({
      ...other,
      identity: { ...(other.identity as object), id: 'portal-2.example' },
      peers: [{ ...box, networks: networksOfSecond }],
    }),
  });
  return change(withSecond(homeConfig(lab, first), second));
}
