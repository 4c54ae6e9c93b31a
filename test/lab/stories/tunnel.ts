import { formatMs, formatRate } from '../measures.ts';
import type { Moat } from '../moat.ts';
import { startMoats } from '../moat-pair.ts';
import type { CapturedPacket } from '../pcap.ts';
import { expect, type Stage, type Story } from '../story.ts';
import { addresses } from '../topology.ts';
import type { World } from '../world.ts';

const marker = 'THIS-IS-NOBODYS-BUSINESS';

export const story: Story = {
  name: 'tunnel',
  summary: 'a PC at home reaches a server in the corporation through moat and portal, and nobody between can read it',
  async run(stage) {
    for (const way of ways) await throughTunnel(stage, way);
  },
};

/** How home reaches the portal. */
const ways = [
  { name: 'behind NAT', nat: true, portal: addresses.portal.v4 },
  { name: 'without NAT', nat: false, portal: addresses.portal.v4 },
  { name: 'over IPv6', nat: false, portal: addresses.portal.v6 },
] as const;

async function throughTunnel({ world, step }: Stage, way: (typeof ways)[number]): Promise<void> {
  const { nat } = way;
  const lab = await world({ nat });
  const { pc, corp } = lab;
  await step(`${way.name}: pc does not reach corp before there is a tunnel`, async () => {
    const { received } = await pc.ping(addresses.corp.v4, { wait: 300 });
    expect(received === 0, 'no answer', received);
    return undefined;
  });
  let ends: { home: Moat; portal: Moat } | undefined;
  await step('moat and portal start and the tunnel comes up', async () => {
    const began = performance.now();
    ends = await startMoats(lab, { home: { peer: { addresses: [way.portal] } } });
    return formatMs(performance.now() - began);
  });
  if (!ends) return;
  const { home, portal } = ends;
  await step('both ends report the same algorithms, mode and keys', async () => describe(home, portal, nat));
  for (const [name, from, target] of [
    ['pc pings corp', pc, addresses.corp.v4],
    ['pc pings corp over IPv6', pc, addresses.corp.v6],
    ['corp pings pc', corp, addresses.pc.v4],
    ['corp pings pc over IPv6', corp, addresses.pc.v6],
  ] as const) {
    await step(name, async () => {
      const ping = await from.ping(target, { count: 20 });
      const { received, errors, order } = ping;
      expect(received === 20, '20 answers', { received, errors, order: order.join() });
      return `${formatMs(ping.median)}, TTL ${ping.ttl}`;
    });
  }
  for (const target of [addresses.corp.v4, addresses.corp.v6]) {
    await step(`pc fetches 100 MB over HTTP from ${target}, byte for byte`, async () =>
      formatRate((await pc.fetch(target, { octets: 100e6 })).bitsPerSecond),
    );
  }
  await step('on the internet there is UDP 500 and 4500 only, and nothing of what was said', () => secrecy(lab));
  await step('status counts octets, packets and drops', async () => {
    const { traffic } = await home.peer();
    expect(traffic.octetsIn > 200e6, 'more than 200 MB in', traffic);
    return `${traffic.packetsIn} packets in, ${traffic.packetsOut} out`;
  });
  await step('no key is in the logs', async () => {
    const logs = home.log + portal.log;
    expect(!/PRIVATE KEY|privateKeyPem/.test(logs), 'no private key', 'one');
    return `${logs.split('\n').length} lines`;
  });
  await step('home stops: it says goodbye and the portal knows at once', async () => {
    const began = performance.now();
    await home.stop();
    await portal.until('rid of home', ({ tunnel }) => tunnel?.peers[0]?.ike === null, 2000);
    return formatMs(performance.now() - began);
  });
}

async function describe(home: Moat, portal: Moat, nat: boolean): Promise<string> {
  const [ours, theirs] = [(await home.peer()).ike, (await portal.peer()).ike];
  const [child, mirrored] = [ours?.children[0], theirs?.children[0]];
  expect(child !== undefined && child.spiIn === mirrored?.spiOut, 'one child SA seen from both ends', [
    child,
    mirrored,
  ]);
  // What falls back to plain tunnel mode still answers pings; so the mode is asserted, never assumed.
  expect(child?.mode === 'aggfrag' && mirrored?.mode === 'aggfrag', 'AGGFRAG', [child?.mode, mirrored?.mode]);
  expect(ours?.natLocal === nat, nat ? 'a NAT in front of home' : 'no NAT', ours);
  return `IKE ${ours?.cipher} ${ours?.prf} ${ours?.keyExchange}; ESP ${child?.cipher}${child?.esn ? ' ESN' : ''} ${child?.mode} in ${child?.encapsulation}`;
}

async function secrecy(lab: World): Promise<string> {
  const outside = await lab.internet.capture('portal');
  const inside = await lab.pc.capture('lan');
  await lab.pc.fetch(lab.addresses.corp.v4, { octets: 1e6, marker });
  await lab.pc.fetch(lab.addresses.corp.v6, { octets: 1e6, marker });
  const packets = await outside.stop();
  await inside.stop();
  const strange = packets.filter((packet) => !isIpsec(packet) && !isNeighbourDiscovery(packet));
  expect(strange.length === 0, 'nothing else', strange.slice(0, 3));
  // Not a number of packets: the kernel shows many envelopes as one where segmentation is left to the network card.
  const octets = packets.reduce((sum, { length }) => sum + length, 0);
  expect(octets > 2e6, 'more octets than were fetched', octets);
  expect(inside.contains(marker), 'the marker inside the LAN (the check itself works)', 'none');
  expect(!outside.contains(marker), 'no marker on the internet', 'one');
  return `${octets} octets in ${packets.length} packets`;
}

const isIpsec = ({ protocol, destinationPort, sourcePort }: CapturedPacket) =>
  protocol === 17 && [sourcePort, destinationPort].some((port) => port === 500 || port === 4500);
/** Between neighbours only: RFC 4861 drops it with any other hop limit. */
const isNeighbourDiscovery = ({ protocol, hops }: CapturedPacket) => protocol === 58 && (hops === 255 || hops === 1);
