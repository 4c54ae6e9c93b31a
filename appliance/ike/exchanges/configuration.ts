import { concat } from '../../lib/bytes.ts';
import { familyOf, formatIp, lastAddress, parseIp } from '../../lib/ip.ts';
import type { Selector } from '../../lib/net.ts';
import type { Assignment, Peer } from '../api.ts';
import { type Attribute, attributeTypes, type Configuration, configurationKinds } from '../wire/configuration.ts';
import { isDomainName } from '../wire/domain-name.ts';
import { find, type Payload } from '../wire/payloads.ts';

/* The configuration payload of IKE_AUTH, RFC 7296 2.19: addresses and DNS for a client; RFC 8598: domains that belong to that DNS. */

const empty = new Uint8Array();
const types = {
  4: { address: attributeTypes.INTERNAL_IP4_ADDRESS, dns: attributeTypes.INTERNAL_IP4_DNS },
  6: { address: attributeTypes.INTERNAL_IP6_ADDRESS, dns: attributeTypes.INTERNAL_IP6_DNS },
} as const;
const families = { ipv4: 4, ipv6: 6 } as const;

/** The client asks for addresses of these families, and for the DNS that goes with them. */
export function configurationRequest({ requests = [] }: Peer): Payload[] {
  if (requests.length === 0) return [];
  const wanted = requests.flatMap((family) => [types[families[family]].address, types[families[family]].dns]);
  const attributes = [...wanted, attributeTypes.INTERNAL_DNS_DOMAIN].map((type) => ({ type, value: empty }));
  return [{ type: 'CP', body: { kind: configurationKinds.REQUEST, attributes } }];
}

/** Null: nothing was asked for, or there is nothing to give. */
export function assignmentFor({ assigns }: Peer, payloads: readonly Payload[]): Assignment | null {
  const request = find(payloads, 'CP');
  if (request?.kind !== configurationKinds.REQUEST || assigns === undefined) return null;
  const asked = new Set(request.attributes.map(({ type }) => type));
  const ofFamily = (what: 'address' | 'dns') => (address: string) => asked.has(types[familyOf(address)][what]);
  return {
    addresses: assigns.addresses.filter(ofFamily('address')),
    dns: assigns.dns.filter(ofFamily('dns')),
    domains: asked.has(attributeTypes.INTERNAL_DNS_DOMAIN) ? assigns.domains : [],
  };
}

export function asksForAddress(payloads: readonly Payload[]): boolean {
  const attributes = find(payloads, 'CP')?.attributes ?? [];
  return attributes.some(({ type }) => type === types[4].address || type === types[6].address);
}

export function configurationReply({ addresses, dns, domains }: Assignment): Payload {
  const attributes: Attribute[] = [
    ...addresses.map((address) => ({ type: types[familyOf(address)].address, value: addressOctets(address) })),
    ...dns.map((address) => ({ type: types[familyOf(address)].dns, value: parseIp(address) })),
    ...domains.map((domain) => ({ type: attributeTypes.INTERNAL_DNS_DOMAIN, value: Buffer.from(domain, 'latin1') })),
  ];
  const body: Configuration = { kind: configurationKinds.REPLY, attributes };
  return { type: 'CP', body };
}

/** An IPv6 address comes with the length of its prefix (RFC 7296 3.15.1): it is one address. */
function addressOctets(address: string): Uint8Array {
  const octets = parseIp(address);
  return octets.length === 4 ? octets : concat(octets, Uint8Array.of(128));
}

/** Nobody's gateway gives more; what is behind is not taken. */
const most = { addresses: 1, dns: 8, domains: 64 } as const;

/** What the gateway gives; null when it gives nothing. What was not asked for is not taken. */
export function assignmentIn({ requests = [] }: Peer, payloads: readonly Payload[]): Assignment | null {
  const reply = find(payloads, 'CP');
  if (reply?.kind !== configurationKinds.REPLY || requests.length === 0) return null;
  const given = (type: number) => reply.attributes.filter((each) => each.type === type && each.value.length > 0);
  const of = (what: 'address' | 'dns') =>
    requests.flatMap((family) => {
      const length = family === 'ipv4' ? 4 : 16;
      const octets = given(types[families[family]][what]).filter(({ value }) => value.length >= length);
      return octets
        .slice(0, most[what === 'dns' ? 'dns' : 'addresses'])
        .map(({ value }) => formatIp(value.subarray(0, length)));
    });
  const domains = given(attributeTypes.INTERNAL_DNS_DOMAIN).map(({ value }) => Buffer.from(value).toString('latin1'));
  return { addresses: of('address'), dns: of('dns'), domains: domains.filter(isDomainName).slice(0, most.domains) };
}

/** The selectors of assigned addresses, one each. */
export function selectorsOf({ addresses }: Assignment): Selector[] {
  return addresses.map((address) => all(address, address));
}

/** A client that does not know its address yet offers everything of the families that it asks for. */
export function anySelectors({ requests = [] }: Peer): Selector[] {
  return requests.map((family) =>
    family === 'ipv4' ? all('0.0.0.0', '255.255.255.255') : all('::', lastAddress({ address: '::', length: 0 })),
  );
}

function all(startAddress: string, endAddress: string): Selector {
  return { startAddress, endAddress, protocol: 0, startPort: 0, endPort: 65_535 };
}
