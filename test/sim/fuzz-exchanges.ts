import { Opener } from '../../appliance/ike/crypto/sealed.ts';
import { Pair, peers, type Side } from '../../appliance/ike/pair.ts';
import { mutate } from '../../appliance/ike/wire/corpus.ts';
import { sameBytes } from '../../appliance/lib/bytes.ts';
import type { Chance } from './chance.ts';
import { Dataplane } from './dataplane.ts';
import { choices } from './fuzz-decoders.ts';

/*
 * Two ways in which an exchange goes wrong. Outside: strangers mutate what is on the wire; nothing of it may harm an established SA or
 * bring one about. Inside: the peer itself, whose messages are authentic, says nonsense; it may lose its SA, but nothing may crash,
 * nothing may be left over, and it can call again.
 */

type Message = ReturnType<Side['next']>;
const garbagePerMessage = 4;
const dayMilliseconds = 86_400_000;
const isInit = (message: Message) => message.bytes[18] === 34;

/** What is opened next, if anything, comes out mutated. */
let spoil: ((chain: Uint8Array) => Uint8Array) | null = null;
const open = Opener.prototype.open;
Opener.prototype.open = function (header, message) {
  const opened = open.call(this, header, message);
  if (spoil === null || typeof opened === 'string') return opened;
  const chain = spoil(opened.chain);
  spoil = null;
  return { ...opened, chain };
};

/** Exchanges that were mutated, by the role in which they were heard. */
export interface Tally {
  initiator: number;
  responder: number;
  /** Inside: how often the peer lost its SA for it. */
  ended: number;
}

/** `count` exchanges for each role, half of them mutated outside, half inside. @throws {Error} with what is wrong. */
export function fuzzExchanges(count: number, chance: Chance): { readonly outside: Tally; readonly inside: Tally } {
  const outside: Tally = { initiator: 0, responder: 0, ended: 0 };
  const inside: Tally = { initiator: 0, responder: 0, ended: 0 };
  while (Math.min(outside.initiator, outside.responder) < count / 2) lifeAmongStrangers(chance, outside);
  while (Math.min(inside.initiator, inside.responder) < count / 2) lifeWithNonsense(chance, inside);
  return { outside, inside };
}

const quick = { ike: { ciphers: ['aes-256-gcm-16'], prfs: ['hmac-sha2-256'], keyExchanges: ['ecp256'] } } as const;
const configuration = { home: quick, portal: quick };
const acts = ['child', 'ike', 'child', 'ike', 'check', 'move'] as const;

function act(pair: Pair, chance: Chance, what: (typeof acts)[number]): void {
  const side = chance.pick([pair.home, pair.portal]);
  const peer = side === pair.home ? 'portal' : 'home';
  const [sa] = side.endpoint.status(0);
  if (what === 'check') side.step({ kind: 'check', tunnel: sa?.children[0]?.tunnel ?? 1 });
  else if (what === 'move' && sa) side.step({ kind: 'move', peer, path: sa.path });
  else if (what !== 'move') side.step({ kind: 'rekey', peer, what });
}

const roleOf = (message: Message): 'initiator' | 'responder' =>
  ((message.bytes[19] ?? 0) & 0x20) !== 0 ? 'initiator' : 'responder';

/** What the garbage provokes is no part of the exchange, so it never arrives. */
function hearGarbage(receiver: Side, message: Message, chance: Chance): void {
  const waiting = [...receiver.wire];
  for (let i = 0; i < garbagePerMessage; i += 1) {
    const bytes = mutate(message.bytes, choices(chance));
    // Now and then the changes come to nothing; the message itself is delivered elsewhere.
    if (!sameBytes(bytes, message.bytes)) receiver.hear({ ...message, bytes });
  }
  receiver.wire.splice(0, receiver.wire.length, ...waiting);
}

function carry(pair: Pair, deliver: (message: Message, receiver: Side) => void): void {
  for (let turns = 0; turns < 50; turns += 1) {
    const fromHome = pair.home.wire.shift();
    const fromPortal = pair.portal.wire.shift();
    if (!fromHome && !fromPortal) return;
    if (fromHome) deliver(fromHome, pair.portal);
    if (fromPortal) deliver(fromPortal, pair.home);
  }
}

function lifeAmongStrangers(chance: Chance, tally: Tally): void {
  const pair = new Pair(configuration);
  const deliver = (message: Message, receiver: Side) => {
    tally[roleOf(message)] += 1;
    // Nothing is authenticated yet in the first messages: garbage that came before would be as good as they.
    if (!isInit(message)) hearGarbage(receiver, message, chance);
    receiver.hear(message);
    if (isInit(message)) hearGarbage(receiver, message, chance);
  };
  pair.initiate();
  carry(pair, deliver);
  for (const what of acts) {
    act(pair, chance, what);
    carry(pair, deliver);
  }
  for (const side of [pair.home, pair.portal]) {
    const up = side.endpoint.status(pair.clock.now).filter(({ state }) => state === 'established');
    if (up.length !== 1 || up[0]?.children.length !== 1) throw new Error(`after garbage: ${JSON.stringify(up)}`);
  }
  noFault(pair);
}

function lifeWithNonsense(chance: Chance, tally: Tally): void {
  const pair = new Pair(configuration);
  const deliver = (message: Message, receiver: Side) => {
    const spoiled = chance.happens(0.4);
    if (spoiled) {
      tally[roleOf(message)] += 1;
      if (isInit(message)) {
        receiver.hear({ ...message, bytes: mutate(message.bytes, choices(chance)) });
        return;
      }
      spoil = (chain) => mutate(chain, choices(chance));
    }
    receiver.hear(message);
    spoil = null;
  };
  pair.initiate();
  carry(pair, deliver);
  for (const what of acts) {
    act(pair, chance, what);
    carry(pair, deliver);
    pair.wait(700);
    carry(pair, deliver);
  }
  noFault(pair);
  if (pair.home.endpoint.status(0).every(({ state }) => state !== 'established')) tally.ended += 1;
  nothingLeft(pair);
  callsAgain(pair);
}

function noFault({ home, portal }: Pair): void {
  for (const side of [home, portal]) {
    const { fault = 0 } = side.endpoint.counters();
    if (fault > 0) throw new Error(`${fault} steps ended in a fault: ${JSON.stringify(side.endpoint.counters())}`);
  }
}

/** When both forget each other, neither the core nor the data plane keeps anything. */
function nothingLeft(pair: Pair): void {
  for (const [side, peer] of [
    [pair.home, 'portal'],
    [pair.portal, 'home'],
  ] as const) {
    side.take(side.endpoint.removePeer(peer, side.env));
  }
  pair.home.wire.length = 0;
  pair.portal.wire.length = 0;
  pair.wait(dayMilliseconds);
  for (const side of [pair.home, pair.portal]) {
    const dataplane = new Dataplane(new Set(), () => undefined);
    for (const effect of side.effects) dataplane.perform(effect);
    const { inbound, outbound } = dataplane.counts();
    const left = side.endpoint.status(pair.clock.now).length;
    if (left + inbound + outbound > 0) throw new Error(`left over: ${left} IKE SAs, ${inbound} and ${outbound} SAs`);
    if (side.endpoint.wakeAt() < Number.POSITIVE_INFINITY) throw new Error('something still waits for its time');
  }
}

function callsAgain(pair: Pair): void {
  const both = peers(configuration);
  pair.home.endpoint.setPeer(both.home);
  pair.portal.endpoint.setPeer(both.portal);
  pair.home.wire.length = 0;
  pair.portal.wire.length = 0;
  pair.initiate();
  pair.settle();
  const [sa] = pair.home.endpoint.status(0);
  if (sa?.state !== 'established' || sa.children.length !== 1) throw new Error(`no new SA: ${JSON.stringify(sa)}`);
}
