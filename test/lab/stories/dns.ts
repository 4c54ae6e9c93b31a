import { dhclient } from '../../interop/dhcp/clients.ts';
import { providePackages } from '../../interop/dhcp/packages.ts';
import { addressesOf, corpZone, firstSerial, House, placeOf, publicAddress, publicZone } from '../lan-house.ts';
import { formatMs } from '../measures.ts';
import type { Moat } from '../moat.ts';
import type { CapturedPacket } from '../pcap.ts';
import { until } from '../processes.ts';
import { expect, type Step, type Story } from '../story.ts';
import { addresses } from '../topology.ts';

const { corp, internetHome, moatDirect, moatKids, moatLan } = addresses;

/** Names of the company's zone with one of everything, and some that are not in it. */
const sample = [
  'host-7.site-7 A',
  'x.old A',
  'alias2 A',
  'anything.wild A',
  'unknown TYPE65280',
  'many A',
  'long TXT',
  'svc HTTPS',
  'nobody A',
  'mail AAAA',
].map((line) => line.replace(' ', `.${corpZone} `));

/** What may never be asked of anybody outside (RFC 6761, 6303, 8375). */
const special = [
  '1.1.168.192.in-addr.arpa PTR',
  'x.test A',
  'x.onion A',
  'x.local A',
  'nobody.home.arpa A',
  'x.invalid A',
];

export const story: Story = {
  name: 'dns',
  summary: "the company's zone through the tunnel, the house's names, the public ones; who asks whom, seen on the wire",
  run: (stage) => House.with(stage, (house) => play(house, stage.step)),
};

async function play(house: House, step: Step): Promise<void> {
  const { lab } = house;
  await providePackages();
  const wild = await lab.moat.capture('wan', 'port 53');
  await house.startPortal();
  const home = await house.startHome();
  await home.up();
  await step("the company's zone, as its BIND has it", () => equal(house));
  await step('50 edits there: here within a second', () => notified(house));
  await step('a lease has its names, forward and reverse, in every zone of the house', () => leaseNames(house));
  await step('public names, and names that never leave the house', async () => {
    const names = Array.from({ length: 20 }, (_, i) => `name-${i}.${publicZone} A`);
    for (const name of [...names, ...names]) {
      const { data } = await house.dig(name);
      expect(data[0] === publicAddress, publicAddress, { name, data });
    }
    for (const name of special) {
      const { status } = await house.dig(name);
      expect(status === 'NXDOMAIN', `NXDOMAIN for ${name}`, status);
    }
    return `${names.length} asked twice, ${special.length} kept`;
  });
  await step('strangers on the wild side and in the company: silence', async () => {
    const asks = [
      [moatDirect.v4, lab.internet],
      [moatLan.v4, lab.internet],
      [moatLan.v4, lab.corp],
    ] as const;
    for (const [server, from] of asks) {
      const { status } = await house.dig(`www.${publicZone} A`, { server, from, seconds: 1 });
      expect(status === '', `no answer of ${server} to ${from.name}`, status);
    }
    return undefined;
  });
  await step('killed: the zone is served again from the disk', () => killed(house, home));
  await step('on the wild side: public names alone, from many ports, in many spellings', async () => {
    return onTheWire(await wild.stop());
  });
}

async function equal(house: House): Promise<string> {
  for (const question of sample) {
    const [theirs, ours] = await Promise.all([
      house.dig(question, { server: corp.v4, from: house.lab.corp }),
      house.dig(question),
    ]);
    const essence = ({ status, data }: typeof ours) => JSON.stringify([status, data.toSorted()]);
    expect(essence(ours) === essence(theirs), essence(theirs), { question, ours });
  }
  return `${sample.length} questions of every kind answered alike`;
}

async function notified(house: House): Promise<string> {
  const serial = firstSerial + 1;
  house.publish(serial, 50);
  await until('BIND has it', 10_000, async () => (await house.serial(corp.v4, house.lab.corp)) === serial);
  const took = await until('so do we', 5000, async () => (await house.serial()) === serial);
  expect(took < 1000, 'within a second', took);
  const edited = await house.dig(`host-7.site-7.${corpZone} A`);
  expect(edited.data[0] === '10.66.0.7', 'the edited address', edited);
  return `${formatMs(took)} after BIND itself, by NOTIFY through the tunnel`;
}

async function leaseNames(house: House): Promise<string> {
  const kids = house.lab.host('kids');
  const client = dhclient(await placeOf(kids), house.directory);
  client.start();
  let address = '';
  await until('a lease', 20_000, async () => {
    address = (await addressesOf(kids))[0] ?? '';
    return address !== '';
  });
  const took = await until('its name', 2000, async () => (await house.dig('isc-box.home.arpa A')).data[0] === address);
  const reversed = `${address.split('.').reverse().join('.')}.in-addr.arpa PTR`;
  const { data } = await house.dig(reversed, { server: moatKids.v4, from: kids });
  expect(data[0] === 'isc-box.home.arpa.', 'its reverse name', data);
  await client.kill();
  return `${address} is isc-box.home.arpa ${formatMs(took)} after it is set`;
}

async function killed(house: House, home: Moat): Promise<string> {
  process.kill(await home.servicePid('dns'), 'SIGKILL');
  const took = await until("the company's names", 10_000, async () => {
    return (await house.dig(`mail.${corpZone} A`, { seconds: 1 })).data.length === 1;
  });
  expect(took < 3000, 'within 3 s', took);
  return formatMs(took);
}

/** Questions over UDP as they left; everything else on port 53 is a leak. */
function onTheWire(packets: readonly CapturedPacket[]): string {
  const from53 = packets.filter(({ source, sourcePort }) => source === moatDirect.v4 && sourcePort === 53);
  const asked = packets.filter(({ source, destinationPort }) => source === moatDirect.v4 && destinationPort === 53);
  const names = asked.map(({ octets }) => questionName(octets.subarray((octets.readUInt8(0) & 15) * 4 + 8)));
  const leaks = names.filter((name) => name !== '' && !name.toLowerCase().endsWith(`.${publicZone}`));
  const strangers = asked.filter(({ destination, protocol }) => destination !== internetHome.v4 || protocol !== 17);
  const ports = new Set(asked.map(({ sourcePort }) => sourcePort));
  const spellings = new Set(names.map((name) => name.replace(/[^A-Za-z]/g, '').replace(/[a-z]/g, '.')));
  expect(from53.length === 0, 'no answer of ours', from53.length);
  expect(leaks.length === 0 && strangers.length === 0, 'nothing but public names to the resolver', {
    leaks,
    strangers,
  });
  // Twenty names and some probes of the root; the second time they come out of the cache.
  expect(asked.length >= 20 && asked.length < 40, '20 questions and a few probes', asked.length);
  expect(ports.size > asked.length * 0.9, 'a port each', ports.size);
  expect(spellings.size > names.length / 2, 'spellings of their own', spellings.size);
  return `${asked.length} questions from ${ports.size} ports in ${spellings.size} spellings`;
}

/** The first question of a message: its name in dotted text, the root as ''. */
function questionName(message: Buffer): string {
  const labels: string[] = [];
  for (let at = 12; at < message.length; ) {
    const length = message[at] ?? 0;
    if (length === 0) break;
    labels.push(message.toString('latin1', at + 1, at + 1 + length));
    at += 1 + length;
  }
  return labels.join('.');
}
