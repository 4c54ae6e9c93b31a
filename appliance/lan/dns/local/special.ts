import { parseIp } from '../../../lib/ip.ts';
import { nameFromText } from '../wire/name.ts';
import { Type } from '../wire/numbers.ts';
import type { Zone } from '../zone/zone.ts';
import { addressRecord, type OwnRecord, ownZone } from './own-zone.ts';

/** Names that nobody outside can answer; asking would only tell strangers about the house. */
const emptyNames = [
  'invalid', // RFC 6761 6.4
  'test', // RFC 6761 6.2
  'onion', // RFC 7686
  'local', // RFC 6762: mDNS
  'alt', // RFC 9476
  'internal', // reserved by ICANN for private use, 2024
  'home.arpa', // RFC 8375
  'resolver.arpa', // RFC 9462 8.2: a stub must not be led past us
  'use-application-dns.net', // browsers keep asking us, so that corporate names work in them
];

/** RFC 6303 4.1 to 4.6 and RFC 7793. */
const emptyReverse = [
  '0.in-addr.arpa',
  '10.in-addr.arpa',
  '254.169.in-addr.arpa',
  '168.192.in-addr.arpa',
  '2.0.192.in-addr.arpa',
  '100.51.198.in-addr.arpa',
  '113.0.203.in-addr.arpa',
  '255.255.255.255.in-addr.arpa',
  ...range(16, 31).map((octet) => `${octet}.172.in-addr.arpa`),
  ...range(64, 127).map((octet) => `${octet}.100.in-addr.arpa`),
  'd.f.ip6.arpa',
  ...['8', '9', 'a', 'b'].map((digit) => `${digit}.e.f.ip6.arpa`),
  '8.b.d.0.1.0.0.2.ip6.arpa',
  `${'0.'.repeat(32)}ip6.arpa`,
];

const ttlSeconds = 10_800;

function range(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, i) => first + i);
}

/** RFC 6761 6.3: localhost and all below it are this very machine, forward and back. */
function localhostZones(): Zone[] {
  const localhost = nameFromText('localhost');
  const loopbacks = [parseIp('127.0.0.1'), parseIp('::1')];
  const records = ['localhost', '*.localhost'].flatMap((text) =>
    loopbacks.map((octets) => addressRecord(nameFromText(text), octets)),
  );
  const pointer = (text: string): OwnRecord => ({ owner: nameFromText(text), type: Type.PTR, rdata: localhost });
  const loopback6 = `1.${'0.'.repeat(31)}ip6.arpa`;
  return [
    ownZone(localhost, ttlSeconds, records),
    ownZone(nameFromText('127.in-addr.arpa'), ttlSeconds, [pointer('1.0.0.127.in-addr.arpa')]),
    ownZone(nameFromText(loopback6), ttlSeconds, [pointer(loopback6)]),
  ];
}

/** Zones that keep special names in the house. More specific zones and routes of the configuration come first. */
export function specialZones(): Zone[] {
  const empty = [...emptyNames, ...emptyReverse].map((text) => ownZone(nameFromText(text), ttlSeconds));
  return [...empty, ...localhostZones()];
}
