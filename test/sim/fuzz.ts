import { parseArgs } from 'node:util';
import { type atHome, Pair, type Side } from '../../appliance/ike/pair.ts';
import { corpus, mutate } from '../../appliance/ike/wire/corpus.ts';
import { decodePayloads, encodePayloads } from '../../appliance/ike/wire/payloads.ts';
import { DecodeError, Reader, sameBytes } from '../../appliance/lib/bytes.ts';
import { Chance } from './chance.ts';

/*
 * node test/sim/fuzz.ts [--mutations N] [--messages N] [--seed K]
 * Mutated payloads may be refused, never crash; mutated messages of a real exchange may be dropped, never harm an
 * established SA nor bring one about that was not agreed.
 */
const { values } = parseArgs({
  options: {
    mutations: { type: 'string', default: '1000000' },
    messages: { type: 'string', default: '20000' },
    seed: { type: 'string', default: '1' },
  },
});

const garbagePerMessage = 4;
const chance = new Chance(Number(values.seed));

function choices(): number[] {
  return Array.from({ length: 1 + (chance.u32() % 6) }, () => chance.u32());
}

function fuzzPayloads(count: number): { decoded: number; refused: number } {
  let refused = 0;
  for (let i = 0; i < count; i += 1) {
    const { first, bytes } = chance.pick(corpus);
    try {
      encodePayloads(decodePayloads(first, new Reader(mutate(bytes, choices()))));
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      refused += 1;
    }
  }
  return { decoded: count - refused, refused };
}

const isInit = (message: Message) => message.bytes[18] === 34;
type Message = { readonly bytes: Uint8Array; readonly path: typeof atHome };

/** What the garbage provokes is no part of the exchange, so it never arrives. */
function hearGarbage(receiver: Side, message: Message): void {
  const waiting = [...receiver.wire];
  for (let i = 0; i < garbagePerMessage; i += 1) {
    const bytes = mutate(message.bytes, choices());
    // Now and then the changes come to nothing; the message itself is delivered elsewhere.
    if (!sameBytes(bytes, message.bytes)) receiver.hear({ ...message, bytes });
  }
  receiver.wire.splice(0, receiver.wire.length, ...waiting);
}

/** Carries all messages; each has its garbage before it, or behind it where nothing is authenticated yet. */
function carry(pair: Pair): number {
  let mutated = 0;
  for (let turns = 0; turns < 50; turns += 1) {
    const fromHome = pair.home.wire.shift();
    const fromPortal = pair.portal.wire.shift();
    if (!fromHome && !fromPortal) break;
    mutated += deliver(fromHome, pair.portal) + deliver(fromPortal, pair.home);
  }
  return mutated;
}

function deliver(message: Message | undefined, receiver: Side): number {
  if (message === undefined) return 0;
  if (!isInit(message)) hearGarbage(receiver, message);
  receiver.hear(message);
  if (isInit(message)) hearGarbage(receiver, message);
  return garbagePerMessage;
}

/** A whole life, establish, rekeys by both, in the middle of garbage. */
function fuzzLife(): number {
  const pair = new Pair();
  pair.initiate();
  let mutated = carry(pair);
  for (const what of ['child', 'ike', 'child', 'ike'] as const) {
    const side = chance.pick([pair.home, pair.portal]);
    side.step({ kind: 'rekey', peer: side === pair.home ? 'portal' : 'home', what });
    mutated += carry(pair);
  }
  for (const side of [pair.home, pair.portal]) check(side, pair.clock.now);
  return mutated;
}

function check(side: Side, now: number): void {
  const { fault = 0 } = side.endpoint.counters();
  const up = side.endpoint.status(now).filter(({ state }) => state === 'established');
  if (fault > 0 || up.length !== 1 || up[0]?.children.length !== 1) {
    throw new Error(`after garbage: ${fault} faults, ${JSON.stringify(side.endpoint.status(now))}`);
  }
}

const start = performance.now();
const payloads = fuzzPayloads(Number(values.mutations));
let messages = 0;
while (messages < Number(values.messages)) messages += fuzzLife();
const seconds = ((performance.now() - start) / 1000).toFixed(1);
console.log(
  `${payloads.decoded} payloads decoded, ${payloads.refused} refused; ${messages} mutated messages did no harm; ${seconds} s`,
);
