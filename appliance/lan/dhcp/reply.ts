import { ipv4Octets, unspecified } from './ipv4.ts';
import type { Lease } from './leases.ts';
import type { Reply, Request } from './message.ts';
import { answerFqdn, asciiOctets } from './names.ts';
import { type Network, u32 } from './network.ts';
import { messageType, option } from './numbers.ts';
import type { RawOption } from './options.ts';

/** For clients that send no parameter request list (RFC 2131 4.3.1 leaves the choice to us). */
const usual = [
  option.router,
  option.domainNameServer,
  option.domainName,
  option.hostName,
  option.interfaceMtu,
  option.broadcastAddress,
  option.ntpServers,
  option.domainSearch,
  option.classlessRoutes,
];

function echoed(request: Request, code: number): RawOption[] {
  const value = request.options.get(code);
  return value ? [[code, value]] : [];
}

/** What every reply says: who we are, the client identifier back (RFC 6842), the relay's own option (RFC 3046). */
function envelope(request: Request, network: Network, type: number): Pick<Reply, 'options' | 'last'> & BaseReply {
  return {
    type,
    xid: request.xid,
    mac: request.mac,
    giaddr: request.giaddr,
    broadcast: request.broadcast,
    options: [
      [option.messageType, Uint8Array.of(type)],
      [option.serverIdentifier, ipv4Octets(network.address)],
    ],
    last: [...echoed(request, option.clientIdentifier), ...echoed(request, option.relayAgentInformation)],
  };
}

type BaseReply = Pick<Reply, 'type' | 'xid' | 'mac' | 'giaddr' | 'broadcast'>;

/** OFFER or ACK with an address. `seconds`: the lease time. */
export function leaseReply(request: Request, network: Network, lease: Lease, seconds: number): Reply {
  const type = request.type === messageType.discover ? messageType.offer : messageType.ack;
  const base = envelope(request, network, type);
  const times: RawOption[] = [
    [option.leaseTime, u32(seconds)],
    [option.renewalTime, u32(Math.floor(seconds / 2))],
    [option.rebindingTime, u32(Math.floor((seconds * 7) / 8))],
  ];
  return {
    ...base,
    ciaddr: type === messageType.ack ? request.ciaddr : unspecified,
    yiaddr: lease.address,
    ...bootFields(network),
    options: [...base.options, ...times, ...parameters(request, network, lease.hostname)],
  };
}

/** The answer to INFORM: everything but an address and its times (RFC 2131 4.3.5). */
export function informReply(request: Request, network: Network): Reply {
  const base = envelope(request, network, messageType.ack);
  return {
    ...base,
    ciaddr: request.ciaddr,
    yiaddr: unspecified,
    ...bootFields(network),
    options: [...base.options, ...parameters(request, network, '')],
  };
}

/** `reason` is a sentence for people. The broadcast flag is for the relay (RFC 2131 4.1, 4.3.2). */
export function nakReply(request: Request, network: Network, reason: string): Reply {
  const base = envelope(request, network, messageType.nak);
  return {
    ...base,
    broadcast: request.broadcast || request.giaddr !== unspecified,
    ...{ ciaddr: unspecified, yiaddr: unspecified, siaddr: unspecified, file: '', sname: '' },
    options: [...base.options, [option.message, asciiOctets(reason)]],
  };
}

function bootFields(network: Network): Pick<Reply, 'siaddr' | 'file' | 'sname'> {
  const { boot } = network;
  return { siaddr: boot?.nextServer ?? unspecified, file: boot?.file ?? '', sname: boot?.serverName ?? '' };
}

/** Configured options in the client's own order of importance; the mask goes before the router (RFC 2132 3.3). */
function parameters(request: Request, network: Network, hostname: string): RawOption[] {
  const asked = [option.subnetMask, ...(request.parameterRequestList ?? usual), ...network.always];
  const out: RawOption[] = [];
  for (const code of new Set<number>(asked)) {
    const value = optionValue(code, network, hostname);
    if (value) out.push([code, value]);
  }
  const fqdn = request.options.get(option.clientFqdn);
  if (fqdn && hostname !== '') out.push([option.clientFqdn, answerFqdn(fqdn, `${hostname}.${network.domain}`)]);
  return out;
}

function optionValue(code: number, network: Network, hostname: string): Uint8Array | undefined {
  if (code === option.hostName && hostname !== '') return asciiOctets(hostname);
  return network.values.get(code);
}
