import { StrongSwan } from '../../interop/strongswan.ts';
import { runFlow } from '../flow.ts';
import { buildAddon, Moat } from '../moat.ts';
import { homeConfig, homeId, newCredentials, portalId } from '../moat-pair.ts';
import { envelopes } from '../path-mtu.ts';
import { expect, type Story } from '../story.ts';
import { networks } from '../topology.ts';

/** A peer without AGGFRAG: the packet still arrives in one piece, and the status says by which means. */
export const story: Story = {
  name: 'mtu-foreign',
  summary:
    'strongSwan, which has no AGGFRAG, as the portal: DF packets of 1500 octets arrive by fragmented envelopes, and status says so',
  async run({ world, step }) {
    await buildAddon();
    const lab = await world({ nat: true });
    const credentials = newCredentials('psk');
    await StrongSwan.start(lab.portal, {
      box: {
        localId: portalId,
        remoteId: homeId,
        localAddress: lab.addresses.portal.v4,
        credentials: { kind: 'psk', secret: credentials.secret },
        localNetworks: Object.values(networks.corp),
        remoteNetworks: Object.values(networks.lan),
      },
    });
    const moat = await Moat.start(lab.moat, { config: homeConfig(lab, credentials) });
    await moat.up();
    await step('what was negotiated is plain tunnel mode, and the status names the last resort', async () => {
      const { mtu } = await moat.peer();
      expect(mtu?.mode === 'tunnel' && mtu.fragmentsEnvelopes, 'tunnel mode, fragmenting envelopes', mtu);
      return `${mtu?.mode}, envelopes of ${mtu?.pathMtu}`;
    });
    const { pc, corp, addresses } = lab;
    await step('DF datagrams of 1500 octets arrive at corp in one piece, both families', async () => {
      const capture = await lab.internet.capture('home', 'udp', 96);
      for (const [index, target] of [addresses.corp.v4, addresses.corp.v6].entries()) {
        const flow = { target, octets: 1500, rateMbit: 2, seconds: 1, dontFragment: true, port: 5400 + index };
        const result = await runFlow(pc, corp, flow);
        expect(result.lost + result.corrupted + result.duplicates === 0, 'nothing lost, nothing twice', result);
      }
      const packets = envelopes(await capture.stop());
      const fragments = packets.filter(({ isFragment }) => isFragment).length;
      expect(fragments > 0, 'fragments of envelopes', `none of ${packets.length}`);
      return `${fragments} of ${packets.length} packets were fragments of envelopes`;
    });
    // strongSwan's own TUN takes 1400 octets and no more; it tells the sender so itself.
    await step('the other way as much as its TUN takes: 1400', async () => {
      const answers = await Promise.all(
        [addresses.pc.v4, addresses.pc.v6].map((target) => corp.ping(target, { size: 1400, fragment: false })),
      );
      expect(
        answers.every(({ received }) => received === 3),
        '3 answers each',
        answers,
      );
      const { errors } = await corp.ping(addresses.pc.v4, { size: 1500, fragment: false });
      return errors[0];
    });
  },
};
