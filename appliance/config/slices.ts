/**
 * What each service gets to know of a configuration: its part and nothing else, ready for Node's structured clone.
 * A service without a part (null) is not run.
 */
import { Secret } from '../lib/secret.ts';
import type { PeerTrust } from './credentials.ts';
import type { DhcpSlice } from './dhcp.ts';
import type { DnsConfig } from './dns.ts';
import type { LoadedConfig } from './files.ts';
import type { NtpConfig } from './ntp.ts';
import type { Config, PeerConfig } from './schema.ts';

/** The tunnel's part holds the keys as plain octets: it travels by the supervisor's private channel only. */
export interface TunnelSlice {
  readonly config: Config;
  readonly privateKey: Uint8Array | null;
  readonly sharedSecrets: ReadonlyMap<string, Uint8Array>;
  readonly ppks: ReadonlyMap<string, Uint8Array>;
  readonly certificate: { readonly chain: readonly Uint8Array[]; readonly privateKey: Uint8Array } | null;
  readonly trust: ReadonlyMap<string, PeerTrust>;
}

export function tunnelSlice({
  config,
  privateKey,
  sharedSecrets,
  ppks,
  certificate,
  trust,
}: LoadedConfig): TunnelSlice {
  return {
    config: {
      ...config,
      // Of no concern to the tunnel; and a `Secret` does not survive the channel.
      policy: [],
      dhcp: undefined,
      dns: undefined,
      ntp: undefined,
      peers: config.peers.map(withoutSecrets),
      zones: config.zones.map((zone) => ({ ...zone, pppoe: undefined, dns: undefined })),
    },
    privateKey: privateKey?.reveal() ?? null,
    sharedSecrets: revealed(sharedSecrets),
    ppks: revealed(ppks),
    certificate: certificate && { chain: certificate.chain, privateKey: certificate.privateKey.reveal() },
    trust,
  };
}

function withoutSecrets({ psk: _, ppk, ...peer }: PeerConfig): PeerConfig {
  return ppk === undefined ? peer : { ...peer, ppk: { id: ppk.id, required: ppk.required } };
}

function revealed(secrets: ReadonlyMap<string, Secret>): ReadonlyMap<string, Uint8Array> {
  return new Map([...secrets].map(([peer, secret]) => [peer, secret.reveal()]));
}

function hidden(secrets: ReadonlyMap<string, Uint8Array>): ReadonlyMap<string, Secret> {
  return new Map([...secrets].map(([peer, octets]) => [peer, new Secret(octets)]));
}

/** The other way round, on the tunnel's side. */
export function loadedFromSlice(slice: TunnelSlice): LoadedConfig {
  const { config, privateKey, sharedSecrets, ppks, certificate, trust } = slice;
  return {
    config,
    privateKey: privateKey && new Secret(privateKey),
    sharedSecrets: hidden(sharedSecrets),
    ppks: hidden(ppks),
    certificate: certificate && { ...certificate, privateKey: new Secret(certificate.privateKey) },
    trust,
  };
}

/** Where services keep what must outlive them; a folder each, below the appliance's own. */
export function serviceDirectory(stateDirectory: string, service: string): string {
  return `${stateDirectory}/${service}`;
}

/** One for each view; zones with views of their own keep their copies of the companies' zones apart. */
export function dnsSlice({ config }: LoadedConfig, stateDirectory: string): readonly DnsConfig[] | null {
  const folder = serviceDirectory(stateDirectory, 'dns');
  const common = {
    leasesFile: `${serviceDirectory(stateDirectory, 'dhcp')}/leases.json`,
    statusFile: `${stateDirectory}/why.json`,
  };
  const shared = config.dns ? [{ ...config.dns, ...common, stateDirectory: folder }] : [];
  const own = config.zones.flatMap(({ name, dns }) =>
    dns ? [{ ...dns, ...common, stateDirectory: `${folder}/${name}` }] : [],
  );
  const views = [...shared, ...own];
  return views.length === 0 ? null : views;
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
