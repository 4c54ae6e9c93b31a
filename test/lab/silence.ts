/** A scan of all TCP ports and the common UDP ports of a box, from a host on its wild side, and what came back. */
import { fileURLToPath } from 'node:url';
import type { Host } from './host.ts';
import type { CapturedPacket } from './pcap.ts';
import { expect } from './story.ts';

const scanner = fileURLToPath(new URL('scan.ts', import.meta.url));
/** Where the box's own DHCP clients write to: what leaves for there was asked by nobody. */
const serverPorts = new Set([67, 547]);
const icmpV6 = 58;

/** @param device of `from`, towards the box. @throws {Error} when anything answers, or not every port was knocked at. */
export async function expectSilence(from: Host, device: string, target: string): Promise<string> {
  const capture = await from.capture(device, 'not udp port 4500 and not udp port 500');
  await from.must([process.execPath, scanner, target], { timeout: 120_000 });
  const packets = await capture.stop();
  const answers = packets.filter((packet) => packet.source === target && isAnswer(packet));
  const knocks = new Set(
    packets
      .filter(({ destination }) => destination === target)
      .map(({ protocol, destinationPort }) => `${protocol} ${destinationPort}`),
  );
  expect(knocks.size > 66_000, 'every port knocked at', knocks.size);
  const shown = answers.slice(0, 5).map(({ protocol, sourcePort }) => ({ protocol, sourcePort }));
  expect(answers.length === 0, 'no answer', shown);
  return `${knocks.size} ports, 0 answers`;
}

/** Neighbour discovery is no service; an "unreachable" of ICMP tells somebody that there is a box. */
function isAnswer({ source, destination, protocol, destinationPort }: CapturedPacket): boolean {
  return protocol !== icmpV6 && destination !== source && !serverPorts.has(destinationPort);
}
