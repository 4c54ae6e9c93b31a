import type { Box } from './box.ts';
import { nothingLost } from './invariants.ts';
import type { World, WorldOptions } from './world.ts';
import { fairWeather } from './world.ts';

export interface Scenario {
  readonly name: string;
  readonly options: Partial<WorldOptions>;
  /** Plays the scenario; the invariants are checked afterwards. */
  readonly play: (world: World) => void;
  /** Seconds that the dust may take to settle, in fair weather. */
  readonly settleSeconds: number;
}

const lossy = { loss: 0.3, duplication: 0, delay: { least: 5, most: 60 } };
const shuffled = { loss: 0, duplication: 0.2, delay: { least: 1, most: 900 } };
const awful = { loss: 0.2, duplication: 0.2, delay: { least: 1, most: 1_500 } };
const quick = { childRekeySeconds: 20, ikeRekeySeconds: 50 };

const hybrid = { additionalKeyExchanges: ['mlkem768', 'none'] } as const;
/** ML-KEM in every key exchange: rekeys take two exchanges, with all that can come between them. */
const quantum = {
  ike: { ciphers: ['aes-256-gcm-16'], prfs: ['hmac-sha2-256'], keyExchanges: ['ecp256'], ...hybrid },
  esp: { ciphers: ['aes-256-gcm-16'], keyExchanges: ['ecp256'], esn: [true, false], ...hybrid },
} as const;

function establish(world: World): void {
  for (const box of world.boxes) box.call();
  world.run(2);
}

function rekey(box: Box, what: 'child' | 'ike'): void {
  const [sa] = box.endpoint.status(0);
  if (sa) box.step({ kind: 'rekey', peer: sa.peer, what });
}

function close(box: Box): void {
  const [sa] = box.endpoint.status(0);
  if (sa) box.step({ kind: 'close', peer: sa.peer });
}

/** Plays `work` under traffic of which nothing may be lost. */
function withoutLoss(world: World, work: () => void): void {
  establish(world);
  const from = { home: world.home.attempted.length, portal: world.portal.attempted.length };
  world.startTraffic();
  world.run(1);
  work();
  world.run(30);
  world.stopTraffic();
  world.run(3);
  nothingLost(world, from);
}

/** No SA was lost on the way, and after the last move packets arrive again within two seconds. */
function stayedUp(world: World): void {
  const lost = world.reports.filter(({ report }) => report.kind === 'ikeClosed' || report.kind === 'failed');
  if (lost.length > 0) world.problems.push(`${lost.length} IKE SAs were lost while roaming`);
  for (const box of world.boxes) {
    const recent = box.received.slice(-8);
    if (recent.some((number, i) => i > 0 && number - (recent[i - 1] ?? 0) > 3)) {
      world.problems.push(`${box.name} received ${recent.join(', ')} after the last move`);
    }
  }
}

/** Both ends rekey within a few round trips of each other, so that every overlap comes up. */
function collide(world: World, home: readonly ('child' | 'ike')[], portal: readonly ('child' | 'ike')[]): void {
  const plan = (box: Box, whats: readonly ('child' | 'ike')[]) => {
    for (const what of whats)
      world.after(world.chance.between(0, 0.06), `${box.name} rekeys ${what}`, () => rekey(box, what));
  };
  plan(world.home, home);
  plan(world.portal, portal);
}

/** Anything at any time from either end, while the weather lasts. */
function turmoil(world: World, seconds: number): void {
  for (let i = 0; i < 8; i += 1) {
    const box = world.chance.pick(world.boxes);
    const what = world.chance.pick(['child', 'ike'] as const);
    world.after(world.chance.between(0, seconds), `${box.name} rekeys ${what}`, () => rekey(box, what));
  }
  world.run(seconds);
}

const jitter = { ...fairWeather, delay: { least: 5, most: 40 } };

export const scenarios: readonly Scenario[] = [
  { name: 'establish', options: {}, play: establish, settleSeconds: 1 },
  { name: 'establish-nat', options: { nat: true }, play: establish, settleSeconds: 1 },
  { name: 'establish-both-call', options: { bothCall: true }, play: establish, settleSeconds: 30 },
  {
    name: 'rekey-child',
    options: { weather: jitter },
    play: (world) => withoutLoss(world, () => rekey(world.chance.pick(world.boxes), 'child')),
    settleSeconds: 10,
  },
  {
    name: 'rekey-ike',
    options: { weather: jitter },
    play: (world) => withoutLoss(world, () => rekey(world.chance.pick(world.boxes), 'ike')),
    settleSeconds: 70,
  },
  {
    name: 'rekey-by-lifetime',
    options: { weather: jitter, nat: true, peer: { lifetimes: quick } },
    play: (world) => {
      withoutLoss(world, () => world.run(200));
      world.setLifetimes({ childRekeySeconds: 3_600, ikeRekeySeconds: 14_400 });
    },
    settleSeconds: 160,
  },
  {
    name: 'collide-child',
    options: { weather: jitter },
    play: (world) => withoutLoss(world, () => collide(world, ['child'], ['child'])),
    settleSeconds: 70,
  },
  {
    name: 'collide-ike',
    options: { weather: jitter },
    play: (world) => withoutLoss(world, () => collide(world, ['ike'], ['ike'])),
    settleSeconds: 70,
  },
  {
    name: 'collide-mixed',
    options: { weather: jitter },
    play: (world) => withoutLoss(world, () => collide(world, ['child', 'ike'], ['ike', 'child'])),
    settleSeconds: 70,
  },
  {
    name: 'hybrid-child',
    options: { weather: jitter, peer: quantum },
    play: (world) => withoutLoss(world, () => collide(world, ['child'], ['child'])),
    settleSeconds: 70,
  },
  {
    name: 'hybrid-ike',
    options: { weather: jitter, peer: quantum },
    play: (world) => withoutLoss(world, () => collide(world, ['ike'], ['ike'])),
    settleSeconds: 70,
  },
  {
    name: 'hybrid-mixed',
    options: { weather: jitter, peer: quantum, nat: true },
    play: (world) => withoutLoss(world, () => collide(world, ['child', 'ike'], ['ike', 'child'])),
    settleSeconds: 70,
  },
  {
    name: 'hybrid-awful',
    options: { weather: awful, peer: quantum },
    play: (world) => {
      establish(world);
      turmoil(world, 90);
    },
    settleSeconds: 150,
  },
  {
    name: 'collide-lossy',
    options: { weather: lossy },
    play: (world) => {
      establish(world);
      world.startTraffic();
      collide(world, ['child', 'ike'], ['child', 'ike']);
      turmoil(world, 60);
      world.stopTraffic();
    },
    settleSeconds: 150,
  },
  {
    name: 'reorder',
    options: { weather: shuffled, nat: true },
    play: (world) => {
      establish(world);
      collide(world, ['child', 'ike'], ['child', 'ike']);
      turmoil(world, 60);
    },
    settleSeconds: 150,
  },
  {
    name: 'awful',
    options: { weather: awful },
    play: (world) => {
      establish(world);
      turmoil(world, 90);
    },
    settleSeconds: 150,
  },
  {
    name: 'close-races',
    options: { weather: jitter },
    play: (world) => {
      establish(world);
      collide(world, ['child'], ['ike']);
      for (const box of world.boxes) world.after(world.chance.between(0, 0.06), `${box.name} closes`, () => close(box));
      world.run(5);
      world.after(world.chance.between(0, 12), 'home calls again', () => world.home.call());
      world.run(15);
    },
    settleSeconds: 80,
  },
  {
    name: 'restart-home',
    options: { weather: jitter, nat: true },
    play: (world) => {
      establish(world);
      world.startTraffic();
      world.after(world.chance.between(0, 2), 'home restarts', () => world.home.restart());
      world.run(20);
      world.stopTraffic();
    },
    settleSeconds: 60,
  },
  {
    name: 'restart-portal',
    options: { weather: jitter },
    play: (world) => {
      establish(world);
      world.startTraffic();
      world.after(world.chance.between(0, 2), 'portal restarts', () => world.portal.restart());
      world.run(60);
      world.stopTraffic();
    },
    settleSeconds: 60,
  },
  {
    name: 'restart-while-rekeying',
    options: { weather: jitter },
    play: (world) => {
      establish(world);
      collide(world, ['ike'], ['child']);
      const box = world.chance.pick(world.boxes);
      world.after(world.chance.between(0, 0.1), `${box.name} restarts`, () => box.restart());
      world.run(60);
    },
    settleSeconds: 60,
  },
  {
    name: 'partition',
    options: { weather: jitter },
    play: (world) => {
      establish(world);
      world.after(world.chance.between(0, 1), 'partition', () => {
        world.internet.partitioned = true;
      });
      const long = world.chance.between(1, 60);
      turmoil(world, long);
      world.after(1, 'the partition ends', () => {
        world.internet.partitioned = false;
      });
      world.run(2);
    },
    settleSeconds: 180,
  },
  {
    name: 'nat-rebinds',
    options: { weather: jitter, nat: true },
    play: (world) => {
      establish(world);
      world.startTraffic();
      world.after(1, 'the NAT forgets', () => world.internet.rebind());
      turmoil(world, 40);
      world.stopTraffic();
    },
    settleSeconds: 90,
  },
  {
    name: 'roam',
    options: { weather: jitter },
    play: (world) => {
      establish(world);
      world.startTraffic();
      collide(world, ['child'], ['ike']);
      for (const [i, address] of ['203.0.113.50', '203.0.113.51', '203.0.113.52'].entries()) {
        world.after(world.chance.between(0, 0.3) + i * 4, `home moves to ${address}`, () => world.roam(address));
      }
      world.run(14);
      world.stopTraffic();
      stayedUp(world);
    },
    settleSeconds: 80,
  },
  {
    name: 'roam-lossy',
    options: { weather: lossy },
    play: (world) => {
      establish(world);
      world.run(20);
      for (const [i, address] of ['203.0.113.50', '203.0.113.51', '203.0.113.52'].entries()) {
        world.after(world.chance.between(0, 2) + i * 3, `home moves to ${address}`, () => world.roam(address));
      }
      turmoil(world, 40);
    },
    settleSeconds: 150,
  },
  { name: 'cookies', options: { endpoint: { cookieThreshold: 0 }, nat: true }, play: establish, settleSeconds: 1 },
  {
    name: 'cookies-lossy',
    options: { endpoint: { cookieThreshold: 0 }, weather: lossy },
    play: (world) => {
      establish(world);
      world.run(60);
    },
    settleSeconds: 90,
  },
];
