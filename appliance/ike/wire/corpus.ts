import { concat, fromHex } from '../../lib/bytes.ts';
import { parsePrefix, selectorOf } from '../../lib/ip.ts';
import { payloadTypes } from '../numbers.ts';
import { identificationOf } from './identification.ts';
import { notifyAboutEsp, notifyOf } from './notify.ts';
import { encodePayloads, type Payload } from './payloads.ts';

/** Where fuzzing begins: one valid chain for each payload, all of them together, and every payload with nothing in it. */
export interface Sample {
  readonly name: string;
  readonly first: number;
  readonly bytes: Uint8Array;
  readonly valid: boolean;
}

const transforms = [
  { type: 1, id: 20, keyLength: 256, strange: false },
  { type: 4, id: 31, keyLength: null, strange: false },
  { type: 5, id: 0, keyLength: null, strange: false },
];
const selectors = [selectorOf(parsePrefix('192.0.2.0/24')), selectorOf(parsePrefix('2001:db8::/32'))];

const valid: readonly Payload[] = [
  { type: 'SA', body: [1, 2].map((number) => ({ number, protocol: 3, spi: fromHex('c0ffee01'), transforms })) },
  { type: 'KE', body: { group: 31, data: new Uint8Array(32).fill(7) } },
  { type: 'IDi', body: identificationOf({ kind: 'fqdn', value: 'home-1.example' }) },
  { type: 'IDr', body: identificationOf({ kind: 'ipv6', value: '2001:db8::1' }) },
  { type: 'AUTH', body: { method: 14, data: new Uint8Array(72).fill(9) } },
  { type: 'Nonce', body: new Uint8Array(32).fill(5) },
  { type: 'N', body: notifyAboutEsp('REKEY_SA', 0xc0ffee01) },
  { type: 'N', body: notifyOf('NAT_DETECTION_SOURCE_IP', new Uint8Array(20)) },
  { type: 'D', body: { protocol: 3, spis: [256, 257] } },
  { type: 'V', body: fromHex('0102') },
  { type: 'CERT', body: { encoding: 4, data: fromHex('3000') } },
  { type: 'CERTREQ', body: { encoding: 4, data: new Uint8Array(40).fill(3) } },
  { type: 'CP', body: { kind: 1, attributes: [1, 3, 8, 10, 25].map((type) => ({ type, value: fromHex('') })) } },
  {
    type: 'CP',
    body: {
      kind: 2,
      attributes: [
        { type: 1, value: fromHex('0a000001') },
        { type: 8, value: new Uint8Array(17).fill(1) },
        { type: 25, value: fromHex('612e62') },
      ],
    },
  },
  { type: 'TSi', body: selectors },
  { type: 'TSr', body: selectors },
];

function sample(name: string, payloads: readonly Payload[]): Sample {
  return { name, ...encodePayloads(payloads), valid: true };
}

export const corpus: readonly Sample[] = [
  ...valid.map((payload, i) => sample(`${payload.type} (${i})`, [payload])),
  sample('all together', valid),
  ...Object.entries(payloadTypes).map(([name, first]) => ({
    name: `${name} without octets`,
    first,
    bytes: fromHex('00000004'),
    valid: false,
  })),
];

/** Each number is one change: its low bits say which kind, the others where and what. */
export function mutate(bytes: Uint8Array, choices: readonly number[]): Uint8Array {
  return choices.reduce((octets, choice) => mutateOnce(octets, choice), bytes);
}

function mutateOnce(bytes: Uint8Array, choice: number): Uint8Array {
  const at = bytes.length === 0 ? 0 : (choice >>> 12) % bytes.length;
  const value = (choice >>> 4) & 255;
  // Mostly another octet in a place: what changes the length is nearly always noticed at once.
  switch (choice & 15) {
    case 1:
      return bytes.subarray(0, at);
    case 2:
      return concat(bytes.subarray(0, at), Uint8Array.of(value), bytes.subarray(at));
    case 3:
      return concat(bytes.subarray(0, at), bytes.subarray(at + 1));
    default:
      return withOctet(bytes, at, value);
  }
}

function withOctet(bytes: Uint8Array, at: number, value: number): Uint8Array {
  const changed = bytes.slice();
  if (bytes.length > 0) changed[at] = value;
  return changed;
}
