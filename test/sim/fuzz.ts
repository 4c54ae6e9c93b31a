import { parseArgs } from 'node:util';
import { Chance } from './chance.ts';
import { fuzzDecoders } from './fuzz-decoders.ts';
import { fuzzExchanges } from './fuzz-exchanges.ts';

/*
 * node test/sim/fuzz.ts [--mutations N] [--exchanges N] [--seed K]
 * N mutated messages for each decoder: refused or decoded, never anything else. N mutated exchanges for each role: no crash, nothing left
 * over, no established SA harmed by strangers.
 */
const { values } = parseArgs({
  options: {
    mutations: { type: 'string', default: '1000000' },
    exchanges: { type: 'string', default: '100000' },
    seed: { type: 'string', default: '1' },
  },
});

const chance = new Chance(Number(values.seed));
const start = performance.now();
const seconds = () => `${((performance.now() - start) / 1000).toFixed(1)} s`;
for (const { name, decoded, refused } of fuzzDecoders(Number(values.mutations), chance)) {
  console.log(`${name.padEnd(36)} ${decoded} decoded, ${refused} refused`);
}
console.log(`decoders: ${seconds()}`);
const { outside, inside } = fuzzExchanges(Number(values.exchanges), chance);
console.log(
  `mutated by strangers: ${outside.initiator} exchanges as initiator, ${outside.responder} as responder: no SA harmed`,
);
console.log(
  `mutated by the peer: ${inside.initiator} as initiator, ${inside.responder} as responder: ${inside.ended} of its SAs ended, nothing left over; ${seconds()}`,
);
