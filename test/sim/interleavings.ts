import { Pair, type Side } from '../../appliance/ike/pair.ts';

/*
 * Two ends begin something at the same moment; then the messages arrive in every possible order. Nothing is lost here,
 * that is what the weather of the other scenarios is for; but whatever can overtake does. The situations are those that
 * other implementations have tests for by name: rekeys of child and IKE SA that collide with rekeys and deletes, requests and
 * answers that are late.
 */

export type Act = 'rekey child' | 'rekey ike' | 'close' | 'nothing';

export interface Situation {
  readonly home: Act;
  readonly portal: Act;
  readonly hybrid: boolean;
}

const ike = { ciphers: ['aes-256-gcm-16'], prfs: ['hmac-sha2-256'], keyExchanges: ['ecp256'] } as const;
const esp = { ciphers: ['aes-256-gcm-16'], keyExchanges: ['ecp256'], esn: [true] } as const;
const more = { additionalKeyExchanges: ['mlkem768'] } as const;

function begin({ home, portal, hybrid }: Situation): Pair {
  const algorithms = hybrid ? { ike: { ...ike, ...more }, esp: { ...esp, ...more } } : { ike, esp };
  const pair = new Pair({ home: algorithms, portal: algorithms });
  pair.establish();
  act(pair.home, 'portal', home);
  act(pair.portal, 'home', portal);
  return pair;
}

function act(side: Side, peer: string, what: Act): void {
  if (what === 'close') side.step({ kind: 'close', peer });
  if (what === 'rekey child') side.step({ kind: 'rekey', peer, what: 'child' });
  if (what === 'rekey ike') side.step({ kind: 'rekey', peer, what: 'ike' });
}

/** One run; `choose` says which of so many messages under way arrives next. */
export function playOrder(situation: Situation, choose: (count: number) => number): string[] {
  const pair = begin(situation);
  for (let steps = 0; ; steps += 1) {
    const fromHome = pair.home.wire.length;
    const count = fromHome + pair.portal.wire.length;
    if (count === 0) break;
    if (steps > 500) return ['they never stop talking'];
    const choice = choose(count);
    const [sender, receiver] = choice < fromHome ? [pair.home, pair.portal] : [pair.portal, pair.home];
    const [message] = sender.wire.splice(choice < fromHome ? choice : choice - fromHome, 1);
    if (message) receiver.hear(message);
  }
  // What was refused is tried again, what is left over is taken away.
  for (let second = 0; second < 90; second += 1) {
    pair.wait(1_000);
    pair.settle();
  }
  return problems(pair, situation);
}

function problems(pair: Pair, { home, portal }: Situation): string[] {
  const wanted = home === 'close' || portal === 'close' ? 0 : 1;
  const found: string[] = [];
  for (const [name, side] of [
    ['home', pair.home],
    ['portal', pair.portal],
  ] as const) {
    const status = side.endpoint.status(pair.clock.now);
    const children = status.flatMap((each) => each.children);
    const { fault = 0 } = side.endpoint.counters();
    if (status.length !== wanted || children.length !== wanted || fault > 0) {
      found.push(`${name}: ${status.length} IKE SAs, ${children.length} children, ${fault} faults`);
    }
    const left = installed(side);
    if (left.inbound !== wanted || left.outbound !== wanted) {
      found.push(`${name}: ${left.inbound} inbound and ${left.outbound} outbound SAs are left`);
    }
  }
  const spis = (side: Side) => side.endpoint.status(0).flatMap(({ children }) => children);
  const [ours, theirs] = [spis(pair.home)[0], spis(pair.portal)[0]];
  if (ours?.spiIn !== theirs?.spiOut || ours?.spiOut !== theirs?.spiIn) found.push('the ends have different children');
  return found;
}

/** What the data plane holds; the first child of both was installed before the effects were counted. */
function installed(side: Side): { readonly inbound: number; readonly outbound: number } {
  let inbound = 1;
  let outbound = 1;
  for (const { kind } of side.effects) {
    if (kind === 'installInbound') inbound += 1;
    if (kind === 'removeInbound') inbound -= 1;
    if (kind === 'installOutbound') outbound += 1;
    if (kind === 'removeOutbound') outbound -= 1;
  }
  return { inbound, outbound };
}

export interface Explored {
  readonly orders: number;
  /** False when `limit` came first. */
  readonly all: boolean;
  readonly failures: readonly { readonly order: readonly number[]; readonly problems: readonly string[] }[];
}

/** Every order, depth first: the last choice that has an alternative is changed, what follows begins anew. */
export function explore(situation: Situation, limit: number): Explored {
  const failures: { order: number[]; problems: string[] }[] = [];
  let next: number[] | null = [];
  let orders = 0;
  while (next !== null && orders < limit) {
    const given: readonly number[] = next;
    const taken: { choice: number; count: number }[] = [];
    const found = playOrder(situation, (count) => {
      const choice = given[taken.length] ?? 0;
      taken.push({ choice, count });
      return choice;
    });
    orders += 1;
    if (found.length > 0) failures.push({ order: taken.map(({ choice }) => choice), problems: found });
    const last = taken.findLastIndex(({ choice, count }) => choice + 1 < count);
    next = last < 0 ? null : [...taken.slice(0, last).map(({ choice }) => choice), (taken[last]?.choice ?? 0) + 1];
  }
  return { orders, all: next === null, failures };
}
