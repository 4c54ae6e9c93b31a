import { parseArgs } from 'node:util';
import type { AdditionalKeyExchange, IkeEndpoint, Peer } from '../../appliance/ike/api.ts';
import { createIkeEndpoint } from '../../appliance/ike/endpoint.ts';
import { ed25519Pair, peers } from '../../appliance/ike/pair.ts';
import type { Path } from '../../appliance/lib/net.ts';
import { Chance } from './chance.ts';

/*
 * node --expose-gc test/sim/load.ts [--homes N] [--mlkem]
 * One portal and many homes, both ends in this process, Ed25519: handshakes per second of both together and of the
 * portal alone, memory for each SA, and what a wake-up and a status cost then.
 */
const { values } = parseArgs({
  options: { homes: { type: 'string', default: '2000' }, mlkem: { type: 'boolean', default: false } },
});
const count = Number(values.homes);
const chance = new Chance(1);
const options = { cookieThreshold: 1_000, halfOpenLimit: 10_000, natTraversalPort: 4500, timeOfDay: () => Date.now() };
const additionalKeyExchanges: readonly AdditionalKeyExchange[] = values.mlkem ? ['mlkem768'] : [];
const env = () => ({ now: performance.now(), random: (length: number) => chance.bytes(length) });

const portalKey = ed25519Pair('portal');
const homeKey = ed25519Pair('home'); // one key for all: making 10,000 would be most of the time

function agreement(i: number): { home: Peer; portal: Peer } {
  const { home, portal } = peers();
  const homeId = { kind: 'fqdn', value: `home-${i}.example` } as const;
  const ike = { ...home.ike, additionalKeyExchanges };
  return {
    home: {
      ...{ ...home, ike, localId: homeId, localAuth: { kind: 'ed25519', privateKey: homeKey.privateKey } },
      remoteAuth: { kind: 'ed25519', publicKey: portalKey.publicKey },
    },
    portal: {
      ...{ ...portal, ike, name: `home-${i}`, remoteId: homeId },
      localAuth: { kind: 'ed25519', privateKey: portalKey.privateKey },
      remoteAuth: { kind: 'ed25519', publicKey: homeKey.publicKey },
    },
  };
}

const portal = createIkeEndpoint(options);
let portalMilliseconds = 0;

function onPortal(bytes: Uint8Array, path: Path) {
  const start = performance.now();
  const effects = portal.step({ kind: 'datagram', bytes, path: { local: path.remote, remote: path.local } }, env());
  portalMilliseconds += performance.now() - start;
  return effects;
}

function establish(home: IkeEndpoint, i: number): boolean {
  const local = { address: `10.${(i >> 16) & 255}.${(i >> 8) & 255}.${i & 255}`, port: 4500 };
  const path = { local, remote: { address: '198.51.100.1', port: 4500 } };
  const queue = home.step({ kind: 'initiate', peer: 'portal', path }, env());
  for (let effect = queue.shift(); effect !== undefined; effect = queue.shift()) {
    if (effect.kind !== 'send') continue;
    for (const answer of onPortal(effect.bytes, effect.path)) {
      if (answer.kind !== 'send') continue;
      queue.push(...home.step({ kind: 'datagram', bytes: answer.bytes, path }, env()));
    }
  }
  return home.status(0)[0]?.state === 'established';
}

const agreements = Array.from({ length: count }, (_, i) => agreement(i));
for (const each of agreements) portal.setPeer(each.portal);
globalThis.gc?.();
const before = process.memoryUsage().rss;
const cpu = process.cpuUsage();
const start = performance.now();
agreements.forEach(({ home }, i) => {
  const endpoint = createIkeEndpoint(options);
  endpoint.setPeer(home);
  if (!establish(endpoint, i)) throw new Error(`home ${i} did not get through: ${JSON.stringify(portal.counters())}`);
});
const seconds = (performance.now() - start) / 1000;
const { user, system } = process.cpuUsage(cpu);
const cpuMilliseconds = (user + system) / 1000 / count;
globalThis.gc?.();
const memory = process.memoryUsage().rss;

function microseconds(times: number, work: () => void): string {
  const begin = performance.now();
  for (let i = 0; i < times; i += 1) work();
  return (((performance.now() - begin) * 1000) / times).toFixed(1);
}

console.log(
  `${count} IKE SAs${values.mlkem ? ' with ML-KEM-768' : ''}: ${(count / seconds).toFixed(0)} handshakes/s, both ends in one thread, ${cpuMilliseconds.toFixed(2)} ms of CPU each`,
);
console.log(`the portal alone: ${(count / (portalMilliseconds / 1000)).toFixed(0)} handshakes/s`);
console.log(
  `resident ${(memory / 2 ** 20).toFixed(0)} MiB, ${((memory - before) / count / 1024).toFixed(1)} KiB for each SA (and garbage of the homes)`,
);
console.log(
  `wakeAt ${microseconds(10_000, () => portal.wakeAt())} us, alive ${microseconds(10_000, () => portal.step({ kind: 'alive', tunnel: 1 + (chance.u32() % count) }, env()))} us, status ${microseconds(3, () => portal.status(0))} us`,
);
