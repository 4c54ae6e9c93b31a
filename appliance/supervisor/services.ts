/** The one table of services. A new service is a row here and a slice in `config/slices.ts`. */
import { fileURLToPath } from 'node:url';
import type { LoadedConfig } from '../config/files.ts';
import type { Role } from '../config/schema.ts';
import { dhcpSlice, dnsSlice, ntpSlice, serviceDirectory, tunnelSlice } from '../config/slices.ts';

/** Linux capabilities, in setpriv's spelling. */
export type Capability = 'net_admin' | 'net_raw' | 'net_bind_service' | 'sys_nice' | 'sys_time';

export interface ServiceRow {
  readonly name: string;
  readonly script: string;
  readonly arguments: (stateDirectory: string) => readonly string[];
  /** Its own user and group; where they do not exist it stays root with no more than its capabilities. */
  readonly user: string;
  readonly capabilities: readonly Capability[];
  readonly roles: readonly Role[];
  /** Null where the configuration has no work for it. */
  readonly slice: (loaded: LoadedConfig, stateDirectory: string) => unknown;
  /** A second process waits for the end of the first: its users would wait for Node to start. */
  readonly spare?: boolean;
  /** Of its folder; services may read each other's files (0o755) when nothing is said. */
  readonly folderMode?: number;
  /** Megabytes of JavaScript heap, above which a leak becomes a restart instead of a box without memory. */
  readonly heapMegabytes: number;
}

const script = (path: string) => fileURLToPath(new URL(`../${path}`, import.meta.url));

/** In the order of their start; they stop in the opposite one, so that what the others stand on goes last. */
export const services: readonly ServiceRow[] = [
  {
    name: 'tunnel',
    script: script('tunnel/main.ts'),
    arguments: (stateDirectory) => ['--state', serviceDirectory(stateDirectory, 'tunnel')],
    user: 'moat-tunnel',
    // Device, routes and forwarding; ESP as protocol 50; UDP 500; packets before other work.
    capabilities: ['net_admin', 'net_raw', 'net_bind_service', 'sys_nice'],
    roles: ['home', 'portal'],
    slice: tunnelSlice,
    spare: true,
    heapMegabytes: 1024,
  },
  {
    name: 'ntp',
    script: script('lan/ntp/main.ts'),
    arguments: () => [],
    // The user that Debian's chrony brings: chronyd is a child of this process and runs as it does.
    user: '_chrony',
    capabilities: ['net_bind_service', 'sys_time'],
    roles: ['home', 'portal'],
    slice: ntpSlice,
    // chronyd opens its command socket only in a folder that nobody else can look into.
    folderMode: 0o750,
    heapMegabytes: 64,
  },
  {
    name: 'dns',
    script: script('lan/dns/main.ts'),
    arguments: () => [],
    user: 'moat-dns',
    capabilities: ['net_bind_service'],
    roles: ['home', 'portal'],
    slice: dnsSlice,
    heapMegabytes: 96,
  },
  {
    name: 'dhcp',
    script: script('lan/dhcp/main.ts'),
    arguments: (stateDirectory) => ['--state', serviceDirectory(stateDirectory, 'dhcp')],
    user: 'moat-dhcp',
    // Port 67; ARP and frames to clients that have no address yet.
    capabilities: ['net_bind_service', 'net_raw'],
    roles: ['home', 'portal'],
    slice: dhcpSlice,
    heapMegabytes: 96,
  },
];
