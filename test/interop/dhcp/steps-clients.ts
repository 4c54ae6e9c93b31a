import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../../lab/processes.ts';
import { acknowledged, type Bench, behindRelay, near, slice } from './bench.ts';
import { type Client, dhclient, dhcpcd, type IscClient, networkd, udhcpc } from './clients.ts';
import { type Host, relayFar, serverAddress, until } from './network.ts';
import type { Kind } from './observe.ts';
import { programs } from './packages.ts';

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
  const isc = dhclient(network.place('dhclient'), directory);
  const far = dhclient(network.place('far'), directory);
  const clients = [
    udhcpc(network.place('udhcpc'), directory),
    isc,
    dhcpcd(network.place('dhcpcd'), directory),
    networkd(network.place('networkd'), directory),
    far,
  ];
  const members = await Promise.all(
    clients.map(
      async (client): Promise<Member> => ({ client, mac: await network.macOf(client.place.name as Host), address: '' }),
    ),
  );
  const all = async (what: string, kinds: readonly Kind[], since: number) => {
    const began = performance.now();
    await Promise.all(
      members.map(async (member) => {
        const address = await acknowledged(bench, member.mac, kinds, since);
        if (member.address !== '' && address !== member.address) {
          throw new Error(`${member.client.place.name} had ${member.address} and got ${address}`);
        }
        member.address = address;
      }),
    );
    const who = members.map(({ client, address }) => `${client.place.name} ${address}`).join(', ');
    say(`${what}: ${who} (${((performance.now() - began) / 1000).toFixed(1)} s)`);
  };
  try {
    const began = Date.now();
    for (const { client } of members) client.start();
    await all('get', ['selecting'], began);
    for (const { client, address } of members) {
      await until(`${client.place.name} configures ${address}`, 20, async () =>
        (await network.addressesOf(client.place.name as Host)).includes(address),
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
  const client = udhcpc(network.place('udhcpc'), directory);
  const mac = await network.macOf('udhcpc');
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
  // What passed just now is still on its way into the file.
  await new Promise((resolve) => setTimeout(resolve, 300));
  const packets = wild.packets();
  const ours = packets.filter(({ sourcePort, protocol, octets, version }) => {
    return [67, 547].includes(sourcePort) || (version === 6 && protocol === 58 && octets[40] === 134);
  });
  const theirs = packets.filter(({ destinationPort }) => destinationPort === 67).length;
  if (asks.code === 0 || ours.length > 0 || theirs === 0)
    throw new Error(
      `udhcpc ended with ${asks.code}, ${theirs} requests and ${ours.length} packets of ours on the wild side`,
    );
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
  const { script } = dhclient(network.place('dhclient'), directory);
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

/** A prefix that the provider gives and takes: the interface has an address of it, or has it no more. */
export async function delegated(bench: Bench, say: (line: string) => void): Promise<void> {
  const { network } = bench;
  const address = '2001:db8:66::1/64 dev lan0';
  const shows = async (line: RegExp) => line.test(await network.in('udhcpc', programs.rdisc6, '-1', 'eth0'));
  await network.ip('server', `addr add ${address} nodad`);
  const came = await until('rdisc6 sees the prefix', 20, () =>
    shows(/Prefix +: 2001:db8:66::\/64[^P]*Pref[^:]*: +2700/),
  );
  await network.ip('server', `addr del ${address}`);
  const went = await until('and that it is deprecated', 20, () =>
    shows(/Prefix +: 2001:db8:66::\/64[^P]*Pref[^:]*: +0 /),
  );
  say(
    `a delegated prefix is advertised after ${Math.round(came)} ms, and deprecated ${Math.round(went)} ms after it went`,
  );
}
