/**
 * What each service gets to know of a configuration: its part and nothing else, ready for Node's structured clone.
 * A service without a part (null) is not run.
 */
import { Secret } from '../lib/secret.ts';
import type { DhcpSlice } from './dhcp.ts';
import type { DnsConfig } from './dns.ts';
import type { LoadedConfig } from './files.ts';
import type { NtpConfig } from './ntp.ts';
import type { Config } from './schema.ts';

/** The tunnel's part holds the keys as plain octets: it travels by the supervisor's private channel only. */
export interface TunnelSlice {
  readonly config: Config;
  readonly privateKey: Uint8Array | null;
  readonly sharedSecrets: ReadonlyMap<string, Uint8Array>;
}

export function tunnelSlice({ config, privateKey, sharedSecrets }: LoadedConfig): TunnelSlice {
  return {
    config: {
      ...config,
      // Of no concern to the tunnel; and a `Secret` does not survive the channel.
      policy: [],
      dhcp: undefined,
      dns: undefined,
      ntp: undefined,
      peers: config.peers.map(({ psk: _, ...peer }) => peer),
      zones: config.zones.map(({ pppoe: _, ...zone }) => zone),
    },
    privateKey: privateKey?.reveal() ?? null,
    sharedSecrets: new Map([...sharedSecrets].map(([peer, secret]) => [peer, secret.reveal()])),
  };
}

/** The other way round, on the tunnel's side. */
export function loadedFromSlice({ config, privateKey, sharedSecrets }: TunnelSlice): LoadedConfig {
  return {
    config,
    privateKey: privateKey && new Secret(privateKey),
    sharedSecrets: new Map([...sharedSecrets].map(([peer, octets]) => [peer, new Secret(octets)])),
  };
}

/** Where services keep what must outlive them; a folder each, below the appliance's own. */
export function serviceDirectory(stateDirectory: string, service: string): string {
  return `${stateDirectory}/${service}`;
}

export function dnsSlice({ config }: LoadedConfig, stateDirectory: string): DnsConfig | null {
  if (!config.dns) return null;
  return {
    ...config.dns,
    stateDirectory: serviceDirectory(stateDirectory, 'dns'),
    leasesFile: `${serviceDirectory(stateDirectory, 'dhcp')}/leases.json`,
    statusFile: `${stateDirectory}/why.json`,
  };
}

export function dhcpSlice({ config }: LoadedConfig): DhcpSlice | null {
  return config.dhcp ?? null;
}

/** chronyd dies with the service that started it: two would fight for the port. */
export function ntpSlice({ config }: LoadedConfig, stateDirectory: string): NtpConfig | null {
  if (!config.ntp) return null;
  const daemonCommand = ['/usr/bin/setpriv', '--pdeathsig=KILL', ...config.ntp.daemonCommand];
  return { ...config.ntp, daemonCommand, stateDirectory: serviceDirectory(stateDirectory, 'ntp') };
}
