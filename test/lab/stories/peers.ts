import { startPair } from '../../interop/pair.ts';
import { formatMs, formatRate } from '../measures.ts';
import { sleep } from '../processes.ts';
import { expect, type Story } from '../story.ts';

/** No moat anywhere: the other side of every interop story has to work against itself first. */
export const story: Story = {
  name: 'peers',
  summary: 'two strongSwans 5.9.8 against each other: raw Ed25519 keys behind NAT, a shared secret without',
  async run({ world, step }) {
    for (const kind of ['ed25519', 'psk'] as const) {
      const lab = await world({ nat: kind === 'ed25519' });
      const { pc, addresses } = lab;
      await step(`pc does not reach corp before there is a tunnel (${kind})`, async () => {
        expect((await pc.ping(addresses.corp.v4, { wait: 300 })).received === 0, 'no answer', 'one');
        return undefined;
      });
      const { home, portal } = await startPair(lab, kind);
      await step('the tunnel comes up, and the portal side says with what', async () => {
        await home.initiate('portal');
        const [sa] = await portal.listSas();
        const child = sa?.children[0];
        expect(sa?.keyExchange === 'CURVE_25519' && child?.encryption === 'AES_GCM_16-256', 'X25519, AES-256-GCM', sa);
        return `${sa?.encryption} ${sa?.keyExchange}, ESP ${child?.encryption} ${child?.mode}`;
      });
      for (const target of [addresses.corp.v4, addresses.corp.v6]) {
        await step(`pc pings corp at ${target}`, async () => {
          const ping = await pc.ping(target, { count: 20 });
          expect(ping.received === 20, '20 answers', ping.received);
          return formatMs(ping.median);
        });
      }
      await step('pc fetches 20 MB, byte for byte', async () => {
        return formatRate((await pc.fetch(addresses.corp.v4, { octets: 20e6 })).bitsPerSecond);
      });
      await step('both sides rekey the child, then the IKE SA', async () => {
        await home.rekey('child', 'portal');
        await portal.rekey('child', 'box');
        await home.rekey('ike', 'portal');
        await sleep(500);
        const sas = (await portal.listSas()).filter((sa) => sa.state === 'ESTABLISHED');
        const child = sas[0]?.children.find((candidate) => candidate.state === 'INSTALLED');
        expect(sas.length === 1 && child?.encryption === 'AES_GCM_16-256/CURVE_25519', 'one SA with new keys', sas);
        return `IKE SA number ${sas[0]?.id}`;
      });
      await step('the portal side deletes the IKE SA and home knows', async () => {
        await portal.terminate('ike', 'box');
        expect((await home.listSas()).length === 0, 'no SA left', await home.listSas());
        return undefined;
      });
    }
  },
};
