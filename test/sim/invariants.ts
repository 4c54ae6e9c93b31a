import type { Box } from './box.ts';
import type { World } from './world.ts';

/** More messages than this in one run can only be a storm. */
const mostMessages = 20_000;

/** What must be true when the dust has settled, whatever happened before. */
export function settled(world: World): void {
  const { home, portal, problems } = world;
  for (const box of world.boxes) problems.push(...oneOfEach(box, world.clock.now));
  problems.push(...sameKeys(home, portal), ...sameKeys(portal, home));
  const sa = (box: Box) =>
    box.endpoint.status(world.clock.now).map((each) => `${each.spiInitiator}/${each.spiResponder}`);
  if (sa(home).join() !== sa(portal).join())
    problems.push(`the ends have different IKE SAs: ${sa(home)} and ${sa(portal)}`);
  for (const box of world.boxes) {
    const { fault } = box.endpoint.counters();
    if (fault) problems.push(`${box.name}: ${fault} steps ended in a fault`);
  }
  if (world.internet.sent - world.home.attempted.length - world.portal.attempted.length > mostMessages) {
    problems.push(`${world.internet.sent} datagrams: a storm`);
  }
}

function oneOfEach(box: Box, now: number): string[] {
  const status = box.endpoint.status(now);
  const children = status.flatMap((each) => each.children);
  const { inbound, outbound } = box.dataplane.counts();
  const found = [status.length, children.length, inbound, outbound];
  if (found.every((count) => count === 1)) return [];
  const [ike, child, into, out] = found;
  const states = status.map((each) => each.state).join(', ');
  return [
    `${box.name}: ${ike} IKE SAs (${states}), ${child} children, ${into} inbound and ${out} outbound SAs instead of one of each`,
  ];
}

function sameKeys(from: Box, to: Box): string[] {
  const problems: string[] = [];
  for (const [spi, key] of from.dataplane.pairs().outbound) {
    const other = to.dataplane.pairs().inbound.get(spi);
    if (other !== key)
      problems.push(`${from.name} sends on SPI ${spi}, ${to.name} ${other ? 'has another key' : 'has no such SA'}`);
  }
  return problems;
}

/** Sends packets both ways and sees each of them arrive, once. */
export function trafficFlows(world: World): void {
  const before = world.boxes.map((box) => ({ sent: box.attempted.length, received: box.received.length }));
  for (let i = 0; i < 3; i += 1) {
    for (const box of world.boxes) box.sendPacket();
    world.run(0.5);
  }
  world.boxes.forEach((box, i) => {
    const arrived = box.received.length - (before[i]?.received ?? 0);
    if (arrived !== 3) world.problems.push(`${arrived} of 3 packets reached ${box.name}`);
  });
}

/** For runs in which nothing may be lost: of everything that was sent into the tunnel, each arrived exactly once. */
export function nothingLost(world: World, from: { readonly home: number; readonly portal: number }): void {
  const pairs = [
    { sender: world.home, receiver: world.portal, first: from.home },
    { sender: world.portal, receiver: world.home, first: from.portal },
  ];
  for (const { sender, receiver, first } of pairs) {
    const times = new Map<number, number>();
    for (const number of receiver.received) times.set(number, (times.get(number) ?? 0) + 1);
    const wrong = sender.attempted.filter((number) => number >= first && times.get(number) !== 1);
    if (wrong.length > 0) {
      const [number] = wrong;
      world.problems.push(`${wrong.length} packets of ${sender.name} were lost or doubled, the first is ${number}`);
    }
  }
}
