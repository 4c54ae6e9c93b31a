/** The portal under a flood: whether boxes connect, traffic flows and keys are renewed, and how the tunnel process answers. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createIkeEndpoint } from '../../../appliance/ike/endpoint.ts';
import { hex } from '../../../appliance/lib/bytes.ts';
import { Flow } from '../flow.ts';
import { Moat, type MoatConfig } from '../moat.ts';
import { sleep } from '../processes.ts';
import { build } from '../programs.ts';
import type { World } from '../world.ts';
import { corpNetwork, nameOf, networkOf, pemOf, portalId, portalOf, publicKeyOf, seedOf } from './boxes.ts';
import type { Watched } from './watched.ts';

const floodSeconds = 20;
const rekeyEveryMs = 2000;

/** A whole moat at `home-1`, in the place of box number `box`. */
export async function startBox(lab: World, box: number): Promise<Moat> {
  const home = lab.host('home-1');
  const address = networkOf(box).replace(/\d+\/30$/, (last) => `${Number.parseInt(last, 10) + 1}`);
  await home.ip(`addr add ${address}/30 dev lan`);
  const privateKeyFile = join(lab.temporary, 'box.key');
  writeFileSync(privateKeyFile, pemOf(seedOf(nameOf(box))), { mode: 0o600 });
  const config: MoatConfig = {
    role: 'home',
    name: nameOf(box),
    identity: { id: nameOf(box), privateKeyFile },
    tunnel: { networks: [networkOf(box)], sourceAddresses: [address] },
    peers: [
      {
        name: 'portal',
        id: portalId,
        addresses: [lab.addresses.portal.v4],
        networks: [corpNetwork],
        publicKey: Buffer.from(publicKeyOf(seedOf(portalId))).toString('base64'),
      },
    ],
  };
  const moat = await Moat.start(home, { config });
  await moat.up(60_000);
  return moat;
}

/** A request as a box would send it, and where its nonce begins. */
function floodRequest(): { bytes: string; nonceOffset: number } {
  const endpoint = createIkeEndpoint({
    cookieThreshold: 1,
    halfOpenLimit: 1,
    natTraversalPort: 4500,
    timeOfDay: () => 0,
  });
  endpoint.setPeer(portalOf(0, false));
  const nonce = 0xc5;
  const random = (length: number) => new Uint8Array(length).fill(nonce);
  const path = { local: { address: '192.0.2.1', port: 500 }, remote: { address: '192.0.2.2', port: 500 } };
  const [effect] = endpoint.step({ kind: 'initiate', peer: nameOf(0), path }, { now: 0, random });
  if (effect?.kind !== 'send') throw new Error('no request');
  const text = hex(effect.bytes);
  // Behind the SPI of the header: 32 octets of chance in a row.
  return { bytes: text, nonceOffset: text.indexOf('c5'.repeat(32), 56) / 2 };
}

/** Resolves when all are sent, with how many a second it were. */
async function flood(lab: World, perSecond: number): Promise<number> {
  const { bytes, nonceOffset } = floodRequest();
  await lab.internet.ip('route add blackhole 100.64.0.0/10');
  const words = [lab.addresses.portal.v4, '500', bytes, nonceOffset, perSecond, floodSeconds].map(String);
  const running = lab.internet.start('initflood', [await build('initflood'), ...words]);
  const { sent, seconds } = JSON.parse(await running.line(/sent/, 120_000)) as { sent: number; seconds: number };
  return sent / seconds;
}

/** Renews the keys of child and IKE SA in turn while `lasting`. How often each was asked for. */
async function rekeying(box: Moat, lasting: Promise<unknown>): Promise<{ child: number; ike: number }> {
  let over = false;
  void lasting.finally(() => {
    over = true;
  });
  const asked = { child: 0, ike: 0 };
  for (let i = 0; !over; i += 1) {
    const what = i % 2 === 0 ? 'child' : 'ike';
    await box.rekey(what);
    asked[what] += 1;
    await sleep(rekeyEveryMs);
  }
  return asked;
}

async function rekeysOf(box: Moat): Promise<{ child: number; ike: number }> {
  const { ike } = await box.peer();
  return { child: ike?.children[0]?.rekeys ?? -1, ike: ike?.rekeys ?? -1 };
}

export interface Underway {
  readonly portal: Moat;
  /** With a tunnel. */
  readonly box: Moat;
  /** Where `watched.ts` writes. */
  readonly measures: string;
  readonly perSecond: number;
  /** Connects the known boxes, and says how that went. */
  readonly connect: () => Promise<string>;
}

function measuresAt(file: string): Watched {
  return JSON.parse(readFileSync(file, 'utf8')) as Watched;
}

export async function underFlood(lab: World, { portal, box, measures, perSecond, connect }: Underway): Promise<void> {
  const before = await rekeysOf(box);
  process.kill(portal.process.id.pid, 'SIGUSR2');
  await sleep(1500);
  const target = lab.addresses.corp.v4;
  const flow = await Flow.start(lab.host('home-1'), lab.corp, { target, rateMbit: 2, seconds: floodSeconds });
  const flooding = flood(lab, perSecond);
  const rekeys = rekeying(box, flooding);
  await sleep(2000);
  const connected = await connect();
  const rate = await flooding;
  console.log(`under ${rate.toFixed(0)} spoofed INITs/s: ${connected}`);
  const [asked, { sent, lost, longestGapMs }] = [await rekeys, await flow.finish()];
  await sleep(1500);
  const after = await rekeysOf(box);
  console.log(
    `a box with a tunnel: ${lost} of ${sent} packets lost, longest gap ${longestGapMs.toFixed(0)} ms; rekeys of the child ${after.child - before.child} of ${asked.child}, of the IKE SA ${after.ike - before.ike} of ${asked.ike}`,
  );
  const { probes, slowestProbe, longestStall, stallP99, processes } = measuresAt(measures);
  console.log(
    `the tunnel process: ${probes} probes answered, the slowest after ${slowestProbe.toFixed(0)} ms; longest stall of its loop ${longestStall.toFixed(0)} ms, 99th percentile ${stallP99.toFixed(1)} ms; replaced ${processes} times`,
  );
}
