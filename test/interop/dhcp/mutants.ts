import { option } from '../../../appliance/lan/dhcp/numbers.ts';
import { clientMessage, macOf } from '../../../appliance/lan/dhcp/testing.ts';

/** Parameter request lists and options that kill the package's own server, and those that it mangles. */
const deadly = [50, 52, 55, 56, 60, 61, 80, 116, 145, 82, 119, 121];

/** Deterministic chance (xorshift32): whole numbers from 0 below `limit`. */
export function dice(seed: number): (limit: number) => number {
  let state = seed | 1;
  return (limit) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % limit;
  };
}

type Roll = (limit: number) => number;

function someOctets(roll: Roll, length: number): Uint8Array {
  return Uint8Array.from({ length }, () => roll(256));
}

/** A message that is right but for what it carries. */
function plausible(roll: Roll): Uint8Array {
  const code = () => deadly[roll(deadly.length)] ?? 55;
  const list = Uint8Array.from({ length: 1 + roll(12) }, () => (roll(2) ? code() : roll(256)));
  const options = Array.from({ length: roll(6) }, () => {
    return [roll(3) ? code() : 1 + roll(254), someOctets(roll, roll(20))] as const;
  }).filter(([number]) => number !== option.messageType);
  const address = () => `10.66.${roll(256)}.${roll(256)}`;
  return clientMessage({
    type: roll(10),
    mac: macOf(0x5000000 + roll(100_000)),
    flags: roll(2) ? 0x8000 : 0,
    options: [[option.parameterRequestList, list], ...options],
    ...(roll(4) ? {} : { ciaddr: address() }),
    ...(roll(8) ? {} : { giaddr: address() }),
    ...(roll(3) ? {} : { requested: address() }),
    ...(roll(3) ? {} : { server: roll(2) ? '10.66.0.1' : address() }),
  });
}

/** Bits turned, octets overwritten, the end cut off, noise behind it, options repeated. */
const changes: readonly ((octets: Uint8Array, roll: Roll) => Uint8Array)[] = [
  (octets) => octets,
  (octets, roll) => octets.map((octet) => (roll(40) === 0 ? octet ^ (1 << roll(8)) : octet)),
  (octets, roll) => octets.map((octet, at) => (at >= 240 && roll(4) === 0 ? roll(256) : octet)),
  (octets, roll) => octets.subarray(0, roll(octets.length + 1)),
  (octets, roll) => new Uint8Array([...octets.subarray(0, octets.length - 1), ...someOctets(roll, roll(400))]),
  (octets) => new Uint8Array([...octets, ...octets.subarray(240)]),
  (octets, roll) => octets.map((octet, at) => (at === 236 + roll(60) ? 255 : octet)),
  (_octets, roll) => someOctets(roll, roll(700)),
];

export function mutant(roll: Roll): Uint8Array {
  const change = changes[roll(changes.length)];
  const octets = plausible(roll);
  return change ? change(octets, roll) : octets;
}
