import type { ChildProcess } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { addresses, type World } from './world.ts';
import { zoneText } from './zone-text.ts';

export type PrimaryName = 'bind' | 'nsd' | 'knot';

/** One shared TSIG key for all; 32 octets in base64. */
export const key = { name: 'moat-home', secret: Buffer.alloc(32, 'moat').toString('base64') } as const;

export function zoneName(primary: PrimaryName): string {
  return `${primary}.corp.example`;
}

/** Knot's configuration but for its zones. `home` is told of changes and may have the zones. */
export function knotServer(folder: string, listens: string, home: string): string {
  return `
server:
  listen: ${listens}@53
  rundir: "${folder}"
database:
  storage: "${folder}/db"
key:
  - id: ${key.name}
    algorithm: hmac-sha256
    secret: "${key.secret}"
remote:
  - id: home
    address: ${home}@53
    key: ${key.name}
acl:
  - id: out
    address: [ 192.168.77.0/24, 10.9.0.0/24 ]
    action: transfer
    key: ${key.name}`;
}

const configurations: Record<PrimaryName, (folder: string) => { text: string; command: (file: string) => string[] }> = {
  bind: (folder) => ({
    text: `
      key ${key.name} { algorithm hmac-sha256; secret "${key.secret}"; };
      options {
        directory "${folder}"; listen-on { ${addresses.bind}; }; listen-on-v6 { none; }; pid-file none;
        recursion no; minimal-responses yes; dnssec-validation no; notify-delay 0; session-keyfile none;
        check-names primary ignore; max-journal-size 10m;
      };
      controls { };
      zone "." { type primary; file "${folder}/root.text"; notify no; };
      zone "${zoneName('bind')}" {
        type primary; file "${folder}/zone.text"; ixfr-from-differences yes; journal "${folder}/zone.jnl";
        allow-transfer { key ${key.name}; }; notify explicit; also-notify { ${addresses.box} key ${key.name}; };
      };`,
    command: (file) => ['/usr/sbin/named', '-g', '-c', file],
  }),
  nsd: (folder) => ({
    text: `
server:
  ip-address: ${addresses.nsd}
  zonesdir: "${folder}"
  database: ""
  pidfile: "${folder}/nsd.pid"
  xfrdfile: "${folder}/xfrd.state"
  zonelistfile: "${folder}/zone.list"
  username: ""
  server-count: 1
remote-control:
  control-enable: no
key:
  name: "${key.name}"
  algorithm: hmac-sha256
  secret: "${key.secret}"
zone:
  name: "${zoneName('nsd')}"
  zonefile: "${folder}/zone.text"
  notify: ${addresses.box} ${key.name}
  provide-xfr: 192.168.77.0/24 ${key.name}
  provide-xfr: 10.9.0.0/24 ${key.name}
  store-ixfr: yes
  create-ixfr: yes
`,
    command: (file) => ['/usr/sbin/nsd', '-d', '-c', file],
  }),
  knot: (folder) => ({
    text: `${knotServer(folder, addresses.knot, addresses.box)}
zone:
  - domain: ${zoneName('knot')}
    storage: "${folder}"
    file: zone.text
    zonefile-load: difference
    zonefile-sync: -1
    journal-content: changes
    notify: home
    acl: out
`,
    command: (file) => ['/usr/sbin/knotd', '-c', file],
  }),
};

/** What BIND says about everything that is not its zone, so that chains and delegations lead somewhere. */
const rootText = `$TTL 300
@ IN SOA ns. nobody. 1 3600 600 604800 30
@ IN NS ns.
ns. IN A ${addresses.bind}
www.elsewhere.example. IN A 203.0.113.80
x.sub.${zoneName('bind')}. IN A 203.0.113.81
*.public.example. IN A 203.0.113.82
big.public.example. IN TXT "${'b'.repeat(250)}" "${'c'.repeat(250)}" "${'d'.repeat(250)}" "${'e'.repeat(250)}" "${'f'.repeat(250)}"
`;

export interface RunningPrimary {
  readonly name: PrimaryName;
  readonly process: ChildProcess;
  /** Publishes another version of the zone; the server tells its secondaries. */
  edit(serial: number, edited: number): void;
}

/** Starts a primary with version `serial` of the zone. */
export function startPrimary(world: World, name: PrimaryName, serial: number): RunningPrimary {
  const folder = `${world.folder}/${name}`;
  mkdirSync(`${folder}/db`, { recursive: true });
  // NSD 4.6.1 makes no differences for a zone with empty RDATA: "could not write ... spoolzone".
  const fit = (text: string) => (name === 'nsd' ? text.replace(/^.* \\# 0\n/m, '') : text);
  const write = (version: number, edited: number) =>
    writeFileSync(`${folder}/zone.text`, fit(zoneText(version, edited)));
  write(serial, 0);
  writeFileSync(`${folder}/root.text`, rootText);
  const { text, command } = configurations[name](`${world.inside}/${name}`);
  writeFileSync(`${folder}/server.conf`, text);
  const process = world.start('corp', command(`${world.inside}/${name}/server.conf`));
  return {
    name,
    process,
    edit(version, edited) {
      write(version, edited);
      process.kill('SIGHUP');
    },
  };
}
