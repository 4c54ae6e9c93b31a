import { createSocket, type Socket } from 'node:dgram';
import { networkInterfaces } from 'node:os';
import { bindUdp, findInterface, openRaw, type RawSocket } from '../../../native/lan/index.ts';
import type { DhcpNetwork } from '../../config/dhcp.ts';
import { DecodeError } from '../../lib/bytes.ts';
import {
  type AdvertiserState,
  advertised,
  advertisementOf,
  configureAdvertiser,
  type Ipv6Config,
  type Speaker,
  solicited,
  withDelegated,
} from './advertiser.ts';
import { answerInformation, duidOf } from './dhcp6.ts';
import { RateLimit } from './limits.ts';
import { checkSolicitation, encodeAdvertisement } from './ra.ts';

export type Ipv6Network = DhcpNetwork & { readonly ipv6: Ipv6Config };

const allNodes = 'ff02::1';
const dhcpServers = 'ff02::1:2';
const dhcp6ServerPort = 547;
const retryMs = 1_000;
const perClient = { perSecond: 2, burst: 10 };
const overall = { perSecond: 200, burst: 200 };

export interface Counters6 {
  advertisements: number;
  solicitations: number;
  informationRequests: number;
  informationReplies: number;
  refused: number;
}

/** The IPv6 side of one interface: router advertisements and stateless DHCPv6. */
export class Link6 {
  readonly index: number;
  readonly counters: Counters6 = {
    advertisements: 0,
    solicitations: 0,
    informationRequests: 0,
    informationReplies: 0,
    refused: 0,
  };
  readonly #mac: Uint8Array;
  readonly #router: RawSocket;
  readonly #udp: Socket;
  readonly #limit = new RateLimit(perClient, overall);
  #network: Ipv6Network;
  /** With the prefixes that the interface has been given. */
  #ipv6: Ipv6Config;
  #state: AdvertiserState;
  #timer: NodeJS.Timeout | undefined;

  /** @throws {Error} with `code`, as `Link`. */
  constructor(network: Ipv6Network, failed: (problem: string) => void) {
    const found = findInterface(network.interface);
    if (!found) throw Object.assign(new Error(`no interface ${network.interface}`), { code: 'ENODEV' });
    this.index = found.index;
    this.#mac = found.mac;
    this.#network = network;
    this.#ipv6 = effective(network);
    this.#state = configureAdvertiser(undefined, undefined, this.#ipv6, this.#chance());
    this.#router = openRaw(network.interface, 'router', (octets, source) => this.#solicited(octets, source));
    try {
      const options = { interface: network.interface, address: '::', port: dhcp6ServerPort, group: dhcpServers };
      const fd = bindUdp(options);
      this.#udp = createSocket({ type: 'udp6', ipv6Only: true });
      this.#udp.on('message', (octets, from) => this.#requested(octets, from));
      this.#udp.on('error', (error) => failed(error.message));
      this.#udp.bind({ fd, exclusive: true });
    } catch (error) {
      this.#router.close();
      throw error;
    }
    this.#arm();
  }

  configure(network: Ipv6Network): void {
    this.#network = network;
    this.#become(effective(network));
  }

  /** Whoever gives the interface its prefixes does not tell us: to be called every few seconds. */
  check(): void {
    if (!this.#network.ipv6.delegated) return;
    const now = effective(this.#network);
    if (JSON.stringify(now.prefixes) !== JSON.stringify(this.#ipv6.prefixes)) this.#become(now);
  }

  /** A prefix that went is advertised as deprecated from now on. */
  #become(ipv6: Ipv6Config): void {
    this.#state = configureAdvertiser(this.#state, this.#ipv6, ipv6, this.#chance());
    this.#ipv6 = ipv6;
    this.#arm();
  }

  /** `leaving`: tells the hosts first that the router goes (RFC 4861 6.2.5). */
  close(leaving: boolean): void {
    clearTimeout(this.#timer);
    if (leaving) this.#router.send(encodeAdvertisement(this.#advertisement(true)), allNodes);
    this.#router.close();
    this.#udp.close();
  }

  #chance(): { now: number; random: number } {
    return { now: performance.now(), random: Math.random() };
  }

  #arm(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#advertise(), Math.max(0, this.#state.nextAt - performance.now()));
  }

  #advertisement(leaving: boolean) {
    const { domain, searchDomains, captivePortal } = this.#network;
    const speaker: Speaker = { mac: this.#mac, domain, searchDomains, captivePortal };
    return advertisementOf(this.#state, this.#ipv6, speaker, leaving);
  }

  #advertise(): void {
    if (this.#router.send(encodeAdvertisement(this.#advertisement(false)), allNodes)) {
      this.counters.advertisements += 1;
      this.#state = advertised(this.#state, this.#ipv6, this.#chance());
    } else {
      // Most likely the link-local address is still tentative (RFC 4862 5.4).
      this.#state = { ...this.#state, nextAt: performance.now() + retryMs };
    }
    this.#arm();
  }

  #solicited(octets: Uint8Array, source: string): void {
    if (!this.#accept(() => checkSolicitation(octets, source))) return;
    this.counters.solicitations += 1;
    this.#state = solicited(this.#state, this.#chance());
    this.#arm();
  }

  #requested(octets: Uint8Array, from: { address: string; port: number }): void {
    // Only neighbours, by the address that proves it: nobody elsewhere can have answers sent to a victim.
    const allowed = /^fe[89ab]/i.test(from.address) && this.#limit.allows(from.address, performance.now());
    const { domain, searchDomains, ipv6 } = this.#network;
    this.#accept(() => {
      if (!allowed) throw new DecodeError(`${from.address} is no neighbour, or asks too often`);
      this.counters.informationRequests += 1;
      const reply = answerInformation(octets, duidOf(this.#mac), {
        dns: ipv6.dns,
        searchDomains: [domain, ...searchDomains],
        ntp: ipv6.ntp,
        refreshSeconds: ipv6.intervalSeconds * 3,
      });
      if (!reply) return;
      this.counters.informationReplies += 1;
      // The client may be gone by now; there is nobody to tell.
      this.#udp.send(reply, from.port, from.address, () => undefined);
    });
  }

  #accept(work: () => void): boolean {
    try {
      work();
      return true;
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      this.counters.refused += 1;
      return false;
    }
  }
}

function effective({ interface: name, ipv6 }: Ipv6Network): Ipv6Config {
  if (!ipv6.delegated) return ipv6;
  return withDelegated(
    ipv6,
    (networkInterfaces()[name] ?? []).flatMap(({ cidr }) => cidr ?? []),
  );
}
