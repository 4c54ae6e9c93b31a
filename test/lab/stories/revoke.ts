import { factoryBoxes, factoryToken, importBoxes, startBoxes } from '../fleet.ts';
import { Flow } from '../flow.ts';
import { formatMs } from '../measures.ts';
import { buildAddon, type Moat } from '../moat.ts';
import { sleep } from '../processes.ts';
import { LabPortal } from '../provisioned.ts';
import { expect, type Story } from '../story.ts';
import { addresses, networks } from '../topology.ts';
import type { World } from '../world.ts';

export const story: Story = {
  name: 'revoke',
  summary: 'a box is revoked: its SAs are closed within a second, nothing lets it in again, the others notice nothing',
  async run({ world, step }) {
    const lab = await world({ homes: 2 });
    await buildAddon();
    const boxes = factoryBoxes(2);
    const portal = await portalOf(lab);
    await importBoxes(portal, boxes, 'default');
    const [kept, revoked] = (await startBoxes(lab, boxes, portal, await factoryToken(portal, 'home-1'))) as [
      Moat,
      Moat,
    ];
    await step('two boxes are up, one of them sends numbered packets', async () => {
      for (const moat of [kept, revoked]) await moat.up(60_000);
      return undefined;
    });
    const flow = await Flow.start(kept.host, lab.corp, { target: addresses.corp.v4, rateMbit: 1, seconds: 120 });
    await step('portal device revoke: no SA of the box is left within a second', async () => {
      // The command's own start is not the system's delay: the clock starts when its revision is there.
      const before = (await portal.tunnel.tunnel()).securityAssociations.length;
      const done = portal.command('device', 'revoke', 'home-2').then(() => performance.now());
      const gone = closed(portal, before);
      const took = (await gone) - (await done);
      expect(took < 1000, 'within 1000 ms of the command', formatMs(took));
      return took < 0 ? 'before the command had ended' : formatMs(took);
    });
    await step('its packets go nowhere, and it is told why', async () => {
      const { received } = await revoked.host.ping(addresses.corp.v4, { count: 3, wait: 300 });
      expect(received === 0, 'no answer', received);
      const { sentence } = await revoked.until('down', ({ tunnel }) => tunnel?.state === 'down', 20_000);
      return sentence;
    });
    await step('started anew it comes no further', async () => {
      await sleep(15_000);
      const { peers } = await portal.tunnel.tunnel();
      expect(
        peers.length === 1 && !revoked.log.includes('PRIVATE'),
        'one peer',
        peers.map(({ name }) => name),
      );
      expect(revoked.log.includes('the portal has revoked this box'), 'the reason in its log', revoked.process.log);
      return undefined;
    });
    await step('undo: it is back without anybody at the box', async () => {
      const began = performance.now();
      const [last] = await portal.json<{ id: number }[]>('log');
      await portal.command('undo', String(last?.id));
      await revoked.up(60_000);
      return formatMs(performance.now() - began);
    });
    await step('the service is killed and started again: no data plane notices', async () => {
      await portal.service.stop(0);
      await sleep(2000);
      await portal.startService();
      await sleep(2000);
      flow.end();
      const { sent, lost } = await flow.finish();
      expect(lost === 0 && sent > 1000, 'nothing lost since the beginning', { sent, lost });
      return `${sent} numbered packets, none lost`;
    });
  },
};

async function portalOf(lab: World): Promise<LabPortal> {
  const corporate = Object.values(networks.corp).flatMap((network) => ['--network', network]);
  const portal = await LabPortal.init(lab.portal, ['--address', addresses.portal.v4, ...corporate]);
  await portal.start();
  await portal.command('customer', 'add', 'acme');
  return portal;
}

/** When the data plane had fewer SAs than `before`. */
async function closed(portal: LabPortal, before: number): Promise<number> {
  const deadline = performance.now() + 20_000;
  for (;;) {
    const { securityAssociations, peers } = await portal.tunnel.tunnel();
    if (securityAssociations.length < before && peers.length === 1) return performance.now();
    expect(performance.now() < deadline, 'SAs closed', securityAssociations.length);
    await sleep(20);
  }
}
