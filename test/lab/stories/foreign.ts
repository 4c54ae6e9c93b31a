import { StrongSwan } from '../../interop/strongswan.ts';
import type { Connection } from '../../interop/swanctl-conf.ts';
import type { PeerIkeSa } from '../../interop/swanctl-sas.ts';
import { formatMs, formatRate } from '../measures.ts';
import { buildAddon, Moat } from '../moat.ts';
import { type Credentials, homeConfig, homeId, newCredentials, portalConfig, portalId } from '../moat-pair.ts';
import { sleep } from '../processes.ts';
import { expect, type Stage, type Step, type Story } from '../story.ts';
import { networks } from '../topology.ts';
import type { World } from '../world.ts';

/** Somebody else's IKE and ESP at one end: what we both call a tunnel is one. */
export const story: Story = {
  name: 'foreign',
  summary:
    'strongSwan 5.9.8 as the portal of a moat and as the home of our portal: traffic, rekeys, deletes by either side',
  async run(stage) {
    await buildAddon();
    for (const kind of ['ed25519', 'psk'] as const) {
      await asPortal(stage, kind);
      await asHome(stage, kind);
    }
  },
};

/** moat is the home and calls. */
async function asPortal({ world, step }: Stage, kind: Credentials['kind']): Promise<void> {
  const lab = await world({ nat: true });
  const credentials = newCredentials(kind);
  const connection: Connection = {
    localId: portalId,
    remoteId: homeId,
    localAddress: lab.addresses.portal.v4,
    credentials: theirs(credentials, 'portal'),
    localNetworks: Object.values(networks.corp),
    remoteNetworks: Object.values(networks.lan),
  };
  const peer = await StrongSwan.start(lab.portal, { box: connection });
  const moat = await Moat.start(lab.moat, { config: homeConfig(lab, credentials) });
  await step(`strongSwan as the portal (${kind}): our home calls and is let in`, async () => {
    await moat.up();
    return agreed(moat, peer);
  });
  const meeting = { lab, step, moat, peer, connection: 'box' };
  await everything(meeting);
  await step('strongSwan deletes the IKE SA: our home says so and calls again by itself', async () => {
    const began = performance.now();
    await peer.terminate('ike', 'box');
    await moat.up(20_000);
    await trafficBothWays(lab);
    return `up again after ${formatMs(performance.now() - began)}`;
  });
  await childDeleted(meeting);
  await step('our home stops: strongSwan is told', async () => {
    await moat.stop();
    const sas = await peer.listSas();
    expect(sas.length === 0, 'no SA left', sas);
    return undefined;
  });
}

/** moat is the portal and is called. */
async function asHome({ world, step }: Stage, kind: Credentials['kind']): Promise<void> {
  const lab = await world({ nat: true });
  const credentials = newCredentials(kind);
  const connection: Connection = {
    localId: homeId,
    remoteId: portalId,
    localAddress: '%any',
    remoteAddress: lab.addresses.portal.v4,
    credentials: theirs(credentials, 'home'),
    localNetworks: Object.values(networks.lan),
    remoteNetworks: Object.values(networks.corp),
  };
  const moat = await Moat.start(lab.portal, { config: portalConfig(lab, credentials) });
  const peer = await StrongSwan.start(lab.moat, { portal: connection });
  await step(`strongSwan as the home (${kind}): it calls our portal and is let in`, async () => {
    await peer.initiate('portal');
    await moat.up();
    return agreed(moat, peer);
  });
  const meeting = { lab, step, moat, peer, connection: 'portal' };
  await everything(meeting);
  await childDeleted(meeting);
  await step('strongSwan deletes the IKE SA: our portal knows', async () => {
    await peer.terminate('ike', 'portal');
    await moat.until('rid of the peer', ({ tunnel }) => tunnel?.peers[0]?.ike === null, 3000);
    return undefined;
  });
  await step('strongSwan calls again; our portal stops: strongSwan is told', async () => {
    await peer.initiate('portal');
    await trafficBothWays(lab);
    await moat.stop();
    const sas = await peer.listSas();
    expect(sas.length === 0, 'no SA left', sas);
    return undefined;
  });
}

interface Meeting {
  readonly lab: World;
  readonly step: Step;
  readonly moat: Moat;
  readonly peer: StrongSwan;
  /** What strongSwan calls it. */
  readonly connection: string;
}

/** What has to work whoever called. */
async function everything({ lab, step, moat, peer, connection }: Meeting): Promise<void> {
  await step('pings pass both ways over both families', async () => trafficBothWays(lab));
  await step('pc fetches 10 MB, byte for byte', async () =>
    formatRate((await lab.pc.fetch(lab.addresses.corp.v4, { octets: 10e6 })).bitsPerSecond),
  );
  for (const what of ['child', 'ike'] as const) {
    const thing = what === 'ike' ? 'IKE SA' : 'child SA';
    await step(`we rekey the ${thing}`, () =>
      renewed(peer, what, () => moat.rekey(what)).then(() => afterRekey(lab, moat, peer)),
    );
    await step(`strongSwan rekeys the ${thing}`, () =>
      renewed(peer, what, () => peer.rekey(what, connection)).then(() => afterRekey(lab, moat, peer)),
    );
  }
}

/** A child alone: a home makes a new one, a portal waits to be asked for one. */
async function childDeleted({ lab, step, moat, peer, connection }: Meeting): Promise<void> {
  await step('strongSwan deletes the child SA alone; the tunnel comes back', async () => {
    await peer.terminate('child', connection);
    await sleep(300);
    if ((await established(peer)).children.every(({ state }) => state !== 'INSTALLED') && connection === 'portal') {
      await peer.initiate('portal');
    }
    await moat.up(20_000);
    return trafficBothWays(lab);
  });
}

async function trafficBothWays({ pc, corp, addresses }: World): Promise<string> {
  const pingAll = () =>
    Promise.all([
      pc.ping(addresses.corp.v4, { count: 5 }),
      pc.ping(addresses.corp.v6, { count: 5 }),
      corp.ping(addresses.pc.v4, { count: 5 }),
      corp.ping(addresses.pc.v6, { count: 5 }),
    ]);
  const whole = (pings: Awaited<ReturnType<typeof pingAll>>) => pings.every(({ received }) => received === 5);
  // strongSwan answers first and lets packets through a little later, the later the busier the machine is.
  let pings = await pingAll();
  for (let tries = 1; !whole(pings) && tries < 5; tries += 1) {
    await sleep(500);
    pings = await pingAll();
  }
  expect(
    whole(pings),
    '5 answers each',
    pings.map(({ order, errors }) => ({ order: order.join(), errors })),
  );
  return formatMs(pings[0]?.median ?? 0);
}

/** The one IKE SA that strongSwan says is established. */
async function established(peer: StrongSwan): Promise<PeerIkeSa> {
  const sas = (await peer.listSas()).filter(({ state }) => state === 'ESTABLISHED');
  const [sa] = sas;
  if (!sa || sas.length !== 1)
    throw new Error(`expected one established IKE SA, strongSwan has ${JSON.stringify(sas)}`);
  return sa;
}

const installed = (sa: PeerIkeSa) => sa.children.filter(({ state }) => state === 'INSTALLED');

/** What the peer reports has to be what we report. */
async function agreed(moat: Moat, peer: StrongSwan): Promise<string> {
  const sa = await established(peer);
  const { ike } = await moat.peer();
  const [child] = installed(sa);
  const ours = ike?.children[0];
  expect(sa.encryption === 'AES_GCM_16-256' && ike?.cipher === 'aes-256-gcm-16', 'AES-256-GCM for IKE', [sa, ike]);
  expect(sa.keyExchange === 'CURVE_25519' && ike?.keyExchange === 'x25519', 'X25519', [sa, ike]);
  expect(child?.encryption.startsWith('AES_GCM_16-256') === true, 'AES-256-GCM for ESP', child);
  expect(child?.mode === 'TUNNEL' && child.isEncapsulated && ours?.mode === 'tunnel', 'tunnel mode in UDP', [
    child,
    ours,
  ]);
  expect(child?.esn === false && ours?.esn === false, '32-bit sequence numbers', [child, ours]);
  expect(child?.spiIn === ours?.spiOut && child?.spiOut === ours?.spiIn, 'the same SPIs', [child, ours]);
  return `it says ${sa.encryption} ${sa.prf} ${sa.keyExchange}, ESP ${child?.encryption} ${child?.mode} in UDP`;
}

/** Starts a rekey and waits until the peer has the new SA, and only that. */
async function renewed(peer: StrongSwan, what: 'child' | 'ike', begin: () => Promise<void>): Promise<void> {
  const mark = (sa: PeerIkeSa) =>
    what === 'ike'
      ? sa.initiatorSpi
      : installed(sa)
          .map(({ spiIn }) => spiIn)
          .join();
  const before = mark(await established(peer));
  await begin();
  const deadline = performance.now() + 5000;
  while (true) {
    const sas = await peer.listSas();
    const [sa] = sas.filter(({ state }) => state === 'ESTABLISHED');
    if (sa && sas.length === 1 && mark(sa) !== before && installed(sa).length === 1) return;
    if (performance.now() > deadline) throw new Error(`no new ${what} SA within 5 s: ${JSON.stringify(sas)}`);
    await sleep(50);
  }
}

async function afterRekey(lab: World, moat: Moat, peer: StrongSwan): Promise<string> {
  await trafficBothWays(lab);
  const said = await agreed(moat, peer);
  return said.replace('it says ', '');
}

function theirs(credentials: Credentials, end: 'home' | 'portal'): Connection['credentials'] {
  if (credentials.kind === 'psk') return { kind: 'psk', secret: credentials.secret };
  const other = end === 'home' ? 'portal' : 'home';
  const { privateKeyPem } = credentials[end];
  return { kind: 'ed25519', privateKeyPem, peerPublicKeyPem: credentials[other].publicKeyPem };
}
