import { createHash } from 'node:crypto';
import { type Capabilities, noCapabilities } from '../lib/esp-sa.ts';
import type { Peer } from './api.ts';
import { notifyTypes } from './numbers.ts';
import type { Channel } from './states.ts';
import { type Notify, notifyOf } from './wire/notify.ts';
import type { Payload } from './wire/payloads.ts';

/*
 * What a child SA can do beyond RFC 4303. AGGFRAG (RFC 9347) is for everybody: one notify with one octet of flags, in
 * every exchange that makes a child, rekeys included. moat's own capabilities are a notify of private use, sent only to
 * a peer whose vendor id says that it knows what the number means.
 */

export interface ChildFeatures {
  readonly aggfrag: boolean;
  readonly capabilities: Capabilities;
}

const bits: Readonly<Record<keyof Capabilities, number>> = { pathProbes: 0x01, superPackets: 0x02 };

const vendorId = new Uint8Array(createHash('sha256').update('moat capabilities 1').digest().subarray(0, 16));

export function vendorPayload(): Payload {
  return { type: 'V', body: vendorId };
}

/** The peer knows moat's capabilities. */
export function isMoat(payloads: readonly Payload[]): boolean {
  return payloads.some((payload) => payload.type === 'V' && Buffer.compare(payload.body, vendorId) === 0);
}

/** What we ask for as initiator of an exchange that makes a child. */
export function offerFeatures(peer: Peer, channel: Channel): Payload[] {
  return featurePayloads({ aggfrag: peer.aggfrag, capabilities: peer.capabilities }, channel);
}

/** What both want; as responder, also the answer, which says nothing that was not asked. */
export function agreeFeatures(peer: Peer, channel: Channel, received: readonly Notify[]): ChildFeatures {
  const capabilities = channel.moat ? commonCapabilities(peer.capabilities, received) : noCapabilities;
  return { aggfrag: peer.aggfrag && asksForAggfrag(received), capabilities };
}

export function featurePayloads(features: ChildFeatures, channel: Channel): Payload[] {
  const payloads: Payload[] = [];
  // RFC 9347 5.1: no flag set, we receive fragments and ask for no congestion information.
  if (features.aggfrag) payloads.push({ type: 'N', body: notifyOf('USE_AGGFRAG', Uint8Array.of(0)) });
  const octet = octetOf(features.capabilities);
  if (channel.moat && octet !== 0) {
    payloads.push({ type: 'N', body: notifyOf('MOAT_CAPABILITIES', Uint8Array.of(octet)) });
  }
  return payloads;
}

function octetOf(capabilities: Capabilities): number {
  return names.reduce((octet, name) => octet | (capabilities[name] ? bits[name] : 0), 0);
}
const names = Object.keys(bits) as (keyof Capabilities)[];

/**
 * A peer that cannot receive fragments, wants congestion information, sets a flag nobody knows, or asks for transport
 * mode as well gets plain ESP. Some send no octet at all for "no flags".
 */
function asksForAggfrag(received: readonly Notify[]): boolean {
  const [asked, ...more] = received.filter(({ notify }) => notify === notifyTypes.USE_AGGFRAG);
  if (asked === undefined || more.length > 0 || asked.data.length > 1 || (asked.data[0] ?? 0) !== 0) return false;
  return !received.some(({ notify }) => notify === notifyTypes.USE_TRANSPORT_MODE);
}

function commonCapabilities(ours: Capabilities, received: readonly Notify[]): Capabilities {
  const octet = received.find(({ notify }) => notify === notifyTypes.MOAT_CAPABILITIES)?.data[0] ?? 0;
  const has = (name: keyof Capabilities) => ours[name] && (octet & bits[name]) !== 0;
  return { pathProbes: has('pathProbes'), superPackets: has('superPackets') };
}
