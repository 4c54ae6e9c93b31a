import { type Client, dhclient, dhcpcd, networkd, type Place, udhcpc } from '../../interop/dhcp/clients.ts';
import { programs, providePackages } from '../../interop/dhcp/packages.ts';
import type { Host } from '../host.ts';
import { addressesOf, House, placeOf } from '../lan-house.ts';
import { formatMs } from '../measures.ts';
import type { Moat } from '../moat.ts';
import { until } from '../processes.ts';
import { expect, type Step, type Story } from '../story.ts';
import { addresses } from '../topology.ts';

/** Milliseconds that a client may take until it has, or has given back, an address. */
const patience = 20_000;
const megabytesAtRest = 130;

const makers: readonly [name: string, (place: Place, directory: string) => Client][] = [
  ['udhcpc', udhcpc],
  ['isc', dhclient],
  ['dhcpcd', dhcpcd],
  ['networkd', networkd],
];

export const story: Story = {
  name: 'dhcp',
  summary: "four of other people's clients lease and work under the whole appliance; the wild side hears nothing of it",
  run: (stage) => House.with(stage, (house) => play(house, stage.step)),
};

async function play(house: House, step: Step): Promise<void> {
  const { lab } = house;
  await providePackages();
  const wild = await lab.moat.capture('wan', 'udp port 67 or udp port 68 or udp port 547 or icmp6');
  await house.startPortal();
  let home = await house.startHome();
  await home.up();
  for (const [name, make] of makers) await lifeOf(house, step, name, make);
  await atRest(home, step);
  home = await killed(house, home, step);
  await step('asked on the wild side: silence', async () => {
    const asks = await lab.internet.run([
      ...[programs.busybox, 'udhcpc', '-f', '-n', '-q', '-t', '3', '-T', '1'],
      ...['-i', 'home', '-s', '/bin/true'],
    ]);
    expect(asks.code !== 0, 'no lease', asks.stderr);
    const packets = await wild.stop();
    const asked = packets.filter(({ destinationPort }) => destinationPort === 67);
    const ours = packets.filter(
      ({ sourcePort, protocol, octets }) => [67, 547].includes(sourcePort) || (protocol === 58 && octets[40] === 134),
    );
    expect(asked.length > 0, 'requests in the capture', packets.length);
    expect(ours.length === 0, 'no packet of a DHCP server or router', ours.length);
    return `${asked.length} requests heard there since the start, 0 answers, 0 router advertisements`;
  });
}

/** Get, use, renew, give back, get the same again: in the house as a person sees it, by address, name and company. */
async function lifeOf(
  house: House,
  step: Step,
  name: string,
  make: (place: Place, directory: string) => Client,
): Promise<void> {
  const { pc } = house.lab;
  const client = make(await placeOf(pc), house.directory);
  const named = `${name}-box.home.arpa A`;
  await step(`${name}: an address, the company, a name; given back and got again`, async () => {
    client.start();
    const [took, address] = await leased(pc);
    const ping = await pc.ping(addresses.corp.v4);
    expect(ping.received === 3, 'the company to answer through the tunnel', ping.received);
    await until(`the name ${named}`, 2000, async () => (await house.dig(named)).data[0] === address);
    client.renew();
    await client.release();
    // Without an address nobody answers the pc: the box itself is asked.
    const gone = async () => (await house.dig(named, { from: house.lab.moat })).status === 'NXDOMAIN';
    const forgotten = await until('the name to be gone', patience, gone);
    await pc.ip('address flush dev lan scope global');
    client.start();
    const [, again] = await leased(pc);
    await client.kill();
    expect(again === address, `the same address ${address}`, again);
    await pc.ip('address flush dev lan scope global');
    return `${address} after ${formatMs(took)}, its name gone ${formatMs(forgotten)} after the release`;
  });
}

async function leased(host: Host): Promise<[took: number, address: string]> {
  let address = '';
  const took = await until(`an address for ${host.name}`, patience, async () => {
    address = (await addressesOf(host))[0] ?? '';
    return address !== '';
  });
  return [took, address];
}

async function atRest(home: Moat, step: Step): Promise<void> {
  await step(`DHCP and DNS together at rest: below ${megabytesAtRest} MB resident`, async () => {
    const megabytes = await home.residentMegabytes('dhcp', 'dns');
    expect(megabytes < megabytesAtRest, `below ${megabytesAtRest} MB`, megabytes);
    return `${megabytes.toFixed(0)} MB with a zone of 10,000 records`;
  });
}

/** The service, and then the whole box at once, die without a word: who has an address keeps it, nobody else gets it. */
async function killed(house: House, before: Moat, step: Step): Promise<Moat> {
  const { pc } = house.lab;
  const kids = house.lab.host('kids');
  let home = before;
  await step('killed, the service and then the whole box: every lease outlives it', async () => {
    const [first, second] = [
      udhcpc(await placeOf(pc), house.directory),
      dhclient(await placeOf(kids), house.directory),
    ];
    first.start();
    second.start();
    const held = [(await leased(pc))[1], (await leased(kids))[1]];
    process.kill(await home.servicePid('dhcp'), 'SIGKILL');
    first.renew();
    home.process.child.kill('SIGKILL');
    await home.process.exited;
    home = await home.startAgain();
    const names = ['udhcpc-box.home.arpa A', 'isc-box.home.arpa A'];
    await until('both names', 10_000, async () => {
      const found = await Promise.all(names.map((name) => house.dig(name)));
      return found.every(({ data }, i) => data[0] === held[i]);
    });
    await first.kill();
    await second.kill();
    return `${held.join(' and ')} still theirs`;
  });
  return home;
}
