import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { replay } from '../../../appliance/lan/dhcp/journal.ts';
import { run } from '../../lab/processes.ts';
import { Child } from './child.ts';
import { type Client, dhclient, dhcpcd, type IscClient, networkd, udhcpc } from './clients.ts';
import { loadAddress, type Network, relayFar, serverAddress, until } from './network.ts';
import type { Kind, Observer, Seen } from './observe.ts';
import { libraryPath, programs } from './packages.ts';
import type { Service } from './service.ts';

export interface Bench {
  readonly network: Network;
  readonly service: Service;
  readonly lan: Observer;
  readonly wild: Observer;
  readonly directory: string;
}

/** Leases of 24 s: renewed after 12, rebound after 21. */
const leaseSeconds = 24;

export const near = {
  zone: 'work',
  interface: 'lan0',
  address: serverAddress,
  prefix: '10.66.0.0/16',
  relays: [loadAddress],
  ranges: [{ first: '10.66.16.0', last: '10.66.200.255' }],
  ...{ leaseSeconds, minLeaseSeconds: leaseSeconds, mtu: 1400, searchDomains: ['corp.example'] },
  routes: [{ prefix: '172.20.0.0/14', router: serverAddress }],
  ipv6: { prefixes: [{ prefix: 'fd66::/64' }], dns: ['fd66::1'], ntp: ['fd66::1'], defaultRouter: true, mtu: 1400 },
};

export const behindRelay = {
  zone: 'far',
  interface: 'lan0',
  address: serverAddress,
  prefix: '10.67.0.0/24',
  ...{ relays: [relayFar], router: relayFar, leaseSeconds, minLeaseSeconds: leaseSeconds },
  ranges: [{ first: '10.67.0.100', last: '10.67.0.200' }],
};

export const slice = { networks: [near, behindRelay] };
/** For the load: leases that outlive the test. */
export const longSlice = { networks: [{ ...near, leaseSeconds: 3600 }, behindRelay] };

const latest = (list: readonly Seen[]) => list.at(-1);

/** Waits until the client did `kind` after `since` and was acknowledged for it; the address. */
async function acknowledged(bench: Bench, mac: string, kinds: readonly Kind[], since: number): Promise<string> {
  let address = '';
  await until(`${kinds.join(' or ')} of ${mac}, acknowledged`, 40, () => {
    const own = bench.lan.dhcp().filter((seen) => seen.mac === mac && seen.at >= since);
    const asked = own.find(({ kind }) => kinds.includes(kind));
    const ack = asked && latest(own.filter(({ kind, at }) => kind === 'ack' && at >= asked.at));
    address = ack?.address ?? '';
    return ack !== undefined;
  });
  return address;
}

interface Member {
  readonly client: Client;
  readonly mac: string;
  address: string;
}

async function nft(bench: Bench, rules: string): Promise<void> {
  const { code, stderr } = await run(['ip', 'netns', 'exec', bench.network.name('server'), 'nft', '-f', '-'], {
    input: rules,
  });
  if (code !== 0) throw new Error(stderr);
}

/** Bar 1: clients that are not ours get, renew, rebind, release and get again; one of them behind ISC dhcrelay. */
export async function foreignClients(bench: Bench, say: (line: string) => void): Promise<void> {
  const { network, directory } = bench;
  const relay = network.spawn('relay', [
    programs.dhcrelay,
    '-4',
    '-d',
    '-id',
    'far0',
    '-iu',
    'near0',
    '-a',
    serverAddress,
  ]);
  const isc = dhclient(network, directory);
  const far = dhclient(network, directory, 'far');
  const clients = [udhcpc(network, directory), isc, dhcpcd(network, directory), networkd(network, directory), far];
  const members = await Promise.all(
    clients.map(async (client): Promise<Member> => ({ client, mac: await network.macOf(client.host), address: '' })),
  );
  const all = async (what: string, kinds: readonly Kind[], since: number) => {
    const began = performance.now();
    await Promise.all(
      members.map(async (member) => {
        const address = await acknowledged(bench, member.mac, kinds, since);
        if (member.address !== '' && address !== member.address) {
          throw new Error(`${member.client.host} had ${member.address} and got ${address}`);
        }
        member.address = address;
      }),
    );
    const who = members.map(({ client, address }) => `${client.host} ${address}`).join(', ');
    say(`${what}: ${who} (${((performance.now() - began) / 1000).toFixed(1)} s)`);
  };
  try {
    const began = Date.now();
    for (const { client } of members) client.start();
    await all('get', ['selecting'], began);
    for (const { client, address } of members) {
      await until(`${client.host} configures ${address}`, 5, async () =>
        (await network.addressesOf(client.host)).includes(address),
      );
    }
    // udhcpc goes straight to rebinding when a lease is this short, unless it is told.
    members[0]?.client.renew();
    await all('renew', ['renewing'], began);
    // Unicast no longer reaches us, as when a server moved: clients fall back to broadcast (RFC 2131 4.4.5).
    const rule = `udp dport 67 ip daddr ${serverAddress} ip saddr != { ${relayFar}, 10.66.0.2 } drop`;
    await nft(bench, `table inet moatdhcp { chain in { type filter hook input priority 0;\n${rule}\n}\n}\n`);
    await all('rebind', ['rebinding'], Date.now());
    await nft(bench, 'delete table inet moatdhcp\n');
    const released = Date.now();
    for (const { client } of members) await client.release();
    await until('every lease is released', 10, () => {
      const macs = new Set(bench.service.leases().map(({ mac }) => mac));
      return members.every(({ mac }) => !macs.has(mac));
    });
    say(`release: ${members.length} clients, gone from leases.json`);
    for (const { client } of members) client.start();
    await all('get again, the same address', ['selecting'], released);
    await rebootAndNak(bench, isc, members[1]?.mac ?? '', say);
    const names = bench.service.leases().map(({ hostname }) => hostname);
    for (const name of ['udhcpc-box', 'isc-box', 'dhcpcd-box', 'networkd-box']) {
      if (!names.includes(name)) throw new Error(`no ${name} in leases.json: ${names.join(' ')}`);
    }
    say(`names for DNS: ${[...new Set(names)].filter((name) => name !== '').join(' ')}`);
  } finally {
    for (const { client } of members) await client.kill();
    relay.kill('SIGTERM');
  }
}

async function rebootAndNak(bench: Bench, client: IscClient, mac: string, say: (line: string) => void) {
  await client.kill();
  const rebooted = Date.now();
  client.start();
  const address = await acknowledged(bench, mac, ['initReboot'], rebooted);
  await client.kill();
  const text = readFileSync(client.leaseFile, 'utf8');
  writeFileSync(client.leaseFile, text.replaceAll(/fixed-address .*;/g, 'fixed-address 192.168.99.5;'));
  const moved = Date.now();
  client.start();
  await acknowledged(bench, mac, ['selecting'], moved);
  const naks = bench.lan.dhcp().filter((seen) => seen.kind === 'nak' && seen.mac === mac && seen.at >= moved);
  if (naks.length === 0) throw new Error('an address of another network was not refused');
  say(`INIT-REBOOT: ${address} confirmed; 192.168.99.5 refused (NAK to ${naks[0]?.destination}), then leased anew`);
}

/** An address that somebody uses without asking is found before it is offered. */
export async function conflict(bench: Bench, say: (line: string) => void): Promise<void> {
  const { network, service, directory } = bench;
  const only = { ...near, ranges: [{ first: '10.66.250.1', last: '10.66.250.2' }] };
  await network.ip('static', 'addr add 10.66.250.1/16 dev eth0');
  await network.ip('static', 'addr add 10.66.250.2/16 dev eth0');
  await service.configure({ networks: [only, behindRelay] });
  const since = Date.now();
  const client = udhcpc(network, directory);
  const mac = await network.macOf(client.host);
  client.start();
  await until('both addresses are found taken', 10, async () => ((await service.status()).counters.conflict ?? 0) >= 2);
  await network.ip('static', 'addr del 10.66.250.2/16 dev eth0');
  const exhausted = (await service.status()).pools[0]?.exhausted;
  await client.kill();
  // Another network, so that the quarantine does not hold up the test.
  const other = { ...near, ranges: [{ first: '10.66.250.1', last: '10.66.250.3' }] };
  await service.configure({ networks: [other, behindRelay] });
  client.start();
  const address = await acknowledged(bench, mac, ['selecting'], since);
  await client.kill();
  if (address !== '10.66.250.3' || !exhausted) throw new Error(`${address}, exhausted: ${exhausted}`);
  await service.configure(slice);
  say('conflict: two addresses in use found by ARP and put aside, the pool reported as exhausted, a third leased');
}

/** Nothing of ours on the wild side, whoever asks there. */
export async function wildSide(bench: Bench, say: (line: string) => void): Promise<void> {
  const { network, wild } = bench;
  const asks = await run([
    'ip',
    'netns',
    'exec',
    network.name('wild'),
    programs.busybox,
    'udhcpc',
    '-f',
    '-n',
    '-q',
    '-t',
    '3',
    '-T',
    '1',
    '-i',
    'eth0',
    '-s',
    '/bin/true',
  ]);
  await run(['ip', 'netns', 'exec', network.name('wild'), programs.rdisc6, '-1', '-r', '1', '-w', '1000', 'eth0']);
  const packets = wild.packets();
  const ours = packets.filter(({ sourcePort, protocol, octets, version }) => {
    return [67, 547].includes(sourcePort) || (version === 6 && protocol === 58 && octets[40] === 134);
  });
  const theirs = packets.filter(({ destinationPort }) => destinationPort === 67).length;
  if (asks.code === 0 || ours.length > 0 || theirs === 0)
    throw new Error(`${ours.length} packets of ours on the wild side`);
  say(
    `wild side: ${theirs} requests there, ${packets.length} packets captured, 0 from DHCP, DHCPv6 or router advertisement`,
  );
}

export async function ipv6(bench: Bench, say: (line: string) => void): Promise<void> {
  const { network, directory } = bench;
  const text = await network.in('udhcpc', programs.rdisc6, '-1', 'eth0');
  const wanted = [
    /Prefix +: fd66::\/64/,
    /MTU +: +1400/,
    /Recursive DNS server +: fd66::1/,
    /DNS search list +: home.arpa/,
    /Router lifetime +: +1800/,
  ];
  const missing = wanted.filter((line) => !line.test(text));
  if (missing.length > 0) throw new Error(`rdisc6 does not see ${missing.join(' ')}\n${text}`);
  await until('the kernel makes an address of the prefix', 10, async () =>
    (await network.addressesOf('udhcpc')).some((address) => address.startsWith('fd66:')),
  );
  const route = await network.ip('udhcpc', '-6 route show default');
  if (!route.includes('proto ra')) throw new Error(`no default route: ${route}`);
  const out = join(directory, 'dhclient6.out');
  const files = ['-lf', join(directory, 'dhclient6.leases'), '-pf', join(directory, 'dhclient6.pid')];
  const { script } = dhclient(network, directory);
  const stateless = network.spawn('dhclient', [programs.dhclient, '-6', '-S', '-d', '-sf', script, ...files, 'eth0']);
  const took = await until('dhclient -6 -S hears of DNS', 15, () => {
    try {
      return /new_dhcp6_name_servers='?fd66::1/.test(readFileSync(out, 'utf8'));
    } catch {
      return false;
    }
  });
  stateless.kill('SIGKILL');
  say(
    `IPv6: rdisc6 sees prefix, MTU, DNS, search list, router; the kernel has address and route; dhclient -6 -S has DNS in ${Math.round(took)} ms`,
  );
}

export async function crowd(bench: Bench, say: (line: string) => void): Promise<void> {
  const child = new Child(bench.network, 'load', 'crowd.ts', 'lease', '254');
  const result = (await child.line()) as { leased: number; distinct: number; again: number; milliseconds: number };
  if (result.leased !== 254 || result.distinct !== 254) throw new Error(JSON.stringify(result));
  say(
    `254 clients at once: all leased, 254 distinct addresses, in ${Math.round(result.milliseconds)} ms (${result.again} had to ask twice)`,
  );
}

export async function mutants(bench: Bench, count: number, say: (line: string) => void): Promise<void> {
  const { service, network } = bench;
  const pid = service.pid;
  const before = (await service.status()).counters.received ?? 0;
  const began = performance.now();
  const child = new Child(network, 'load', 'crowd.ts', 'mutants', String(count));
  for (let sent = 0; sent < count; ) {
    sent = ((await child.line()) as { sent: number }).sent;
    // What is sent must be looked at, not dropped by a full socket: the next thousand wait until it was.
    await until(`${sent} mutants are received`, 20, async () => {
      return ((await service.status()).counters.received ?? 0) - before >= sent - count / 1000;
    });
    child.go();
  }
  const seconds = (performance.now() - began) / 1000;
  const { counters } = await service.status();
  const received = (counters.received ?? 0) - before;
  if (service.pid !== pid || !service.running) throw new Error('the service died');
  const probe = await service.probe();
  if (!probe.ok || received < count * 0.999) throw new Error(`${received} of ${count} received; ${probe.detail}`);
  const { malformedOctets, limited, offer, ack, nak, noNetwork } = counters;
  say(
    `${count} mutated packets: ${received} looked at in ${seconds.toFixed(0)} s, the process runs on (malformed ${malformedOctets}, no network ${noNetwork}, limited ${limited}, offers ${offer}, acks ${ack}, naks ${nak})`,
  );
  await crowd(bench, (line) => say(`and right: ${line}`));
}

export async function perfdhcp(bench: Bench, say: (line: string) => void): Promise<void> {
  const { network, service } = bench;
  const before = statCpu(service.pid);
  const began = performance.now();
  const words = ['-4', '-l', 'eth0', '-r', '400', '-p', '8', '-R', '30000', '-W', '1000000', serverAddress];
  const environment = { ...process.env, LD_LIBRARY_PATH: libraryPath };
  const { stdout } = await run(['ip', 'netns', 'exec', network.name('load'), programs.perfdhcp, ...words], {
    env: environment,
  });
  const seconds = (performance.now() - began) / 1000;
  const rate = Number(/Rate: ([\d.]+) 4-way/.exec(stdout)?.[1]);
  const delays = [...stdout.matchAll(/avg delay: ([\d.]+)/g)].map((match) => match[1]);
  const cpu = (statCpu(service.pid) - before) / seconds;
  if (!(rate >= 300)) throw new Error(stdout);
  say(
    `perfdhcp at 400/s: ${rate} four-way exchanges/s (with ARP probes and fsync), OFFER ${delays[0]} ms, ACK ${delays[1]} ms, ${Math.round(cpu * 100)} % of a processor`,
  );
}

/** Seconds of processor time. */
function statCpu(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

/** Bar 2: killed in the middle of everything, again and again; what was acknowledged is on disk. */
export async function killed(bench: Bench, times: number, say: (line: string) => void): Promise<void> {
  const { network, service } = bench;
  const child = new Child(network, 'load', 'crowd.ts', 'churn');
  const holders = new Map<string, string>();
  const acks: { mac: string; address: string }[] = [];
  child.onLine((line) => acks.push(line as { mac: string; address: string }));
  let checked = 0;
  for (let i = 0; i < times; i += 1) {
    const before = acks.length;
    await until('clients are served', 20, () => acks.length > before + 20);
    await new Promise((resolve) => setTimeout(resolve, Math.random() * 120));
    await service.kill();
    const seen = acks.splice(0);
    const onDisk = new Map(replay(service.journal()).leases.map((lease) => [lease.address, lease]));
    for (const { mac, address } of seen) {
      const holder = holders.get(address);
      if (holder !== undefined && holder !== mac) throw new Error(`${address} was given to ${holder} and to ${mac}`);
      holders.set(address, mac);
    }
    for (const [address, mac] of holders) {
      const lease = onDisk.get(address);
      if (lease?.mac !== mac || lease.state !== 'bound')
        throw new Error(`${address} of ${mac} is lost: ${JSON.stringify(lease)}`);
      checked += 1;
    }
    await service.start(longSlice);
  }
  await child.end();
  say(
    `kill -9 ${times} times under load: ${holders.size} leases, ${checked} times looked up on disk, none lost, none given twice`,
  );
}

export function makeDirectory(path: string): string {
  mkdirSync(path, { recursive: true });
  return path;
}
