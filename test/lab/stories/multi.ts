import type { Host } from '../host.ts';
import { buildAddon, Moat, type MoatConfig } from '../moat.ts';
import { probePort } from '../probe-agent.ts';
import { Prober } from '../prober.ts';
import { sleep } from '../processes.ts';
import { expect, type Step, type Story } from '../story.ts';
import { addresses } from '../topology.ts';
import type { World } from '../world.ts';
import { startEmployers } from '../zoned.ts';

const { corp } = addresses;

const intranet = { corp: '10.1.7.1', corp2: '10.1.7.2' } as const;

/** Each employer's name server is asked through its own tunnel, by its own zone only. */
function withViews(config: MoatConfig): MoatConfig {
  const view = ({ v4 }: { v4: string }) => ({
    forward: [{ domain: 'corp.example', servers: [{ address: corp.v4 }], source: v4, via: 'tunnel' }],
  });
  const views: Record<string, object> = { work: view(addresses.moatLan), 'work-2': view(addresses.moatLan2) };
  const zones = (config.zones as { name: string }[]).map((zone) => ({ ...zone, dns: views[zone.name] }));
  return { ...config, zones };
}

/** The address that `server` gives for the employers' one name, or the code of the failure. */
async function asked(host: Host, server: string): Promise<string> {
  const script = `const r = new (require('dns').promises.Resolver)({ timeout: 700, tries: 2 }); r.setServers(['${server}']);
    r.resolve4('intranet.corp.example').then((a) => console.log(a.join()), (e) => console.log(e.code))`;
  return (await host.must([process.execPath, '-e', script])).trim();
}

async function names(step: Step, lab: World): Promise<void> {
  await step('both employers have a host of the same name: each zone is given its own', async () => {
    for (const [name, address] of Object.entries(intranet)) {
      const words = ['--keep-in-foreground', '--conf-file=/dev/null', '--no-resolv', '--no-hosts', '--pid-file='];
      lab.host(name).start('dnsmasq', ['dnsmasq', ...words, '--user=root', `--address=/corp.example/${address}`]);
    }
    await sleep(500);
    const [pc2, kids] = [lab.host('pc2'), lab.host('kids')];
    const answers = {
      pc: await asked(lab.pc, addresses.moatLan.v4),
      pc2: await asked(pc2, addresses.moatLan2.v4),
      'pc2 at the address of pc': await asked(pc2, addresses.moatLan.v4),
      kids: await asked(kids, addresses.moatKids.v4),
    };
    expect(answers.pc === intranet.corp && answers.pc2 === intranet.corp2, 'its own', answers);
    const others = [answers['pc2 at the address of pc'], answers.kids];
    expect(
      others.every((each) => /TIMEOUT|REFUSED/.test(each)),
      'no answer for others',
      answers,
    );
    return JSON.stringify(answers);
  });
}

export const story: Story = {
  name: 'multi',
  summary: 'two employers whose insides have the same addresses, and kids: each reaches its own and nobody else',
  async run({ world, step }) {
    const lab = await world({ kids: true, second: true });
    await buildAddon();
    const home = await Moat.start(lab.moat, { config: await startEmployers(lab, withViews) });
    await home.up();
    await names(step, lab);
    const hosts = {
      pc: lab.pc,
      pc2: lab.host('pc2'),
      kids: lab.host('kids'),
      corp: lab.corp,
      corp2: lab.host('corp2'),
    };
    const probers = Object.fromEntries(
      await Promise.all(Object.entries(hosts).map(async ([name, host]) => [name, await Prober.start(host)] as const)),
    );
    for (const [from, reached] of [
      ['pc', 'corp'],
      ['pc2', 'corp2'],
      ['kids', null],
    ] as const) {
      await step(`${from} asks ${corp.v4} and ${corp.v6}: ${reached ?? 'nobody'} hears it`, async () => {
        const captures = { corp: await lab.corp.capture('lan'), corp2: await lab.host('corp2').capture('lan') };
        const asked = (['v4', 'v6'] as const).flatMap((family) =>
          (['tcp', 'udp', 'icmp'] as const).map((protocol) => probers[from]?.ask(protocol, corp[family])),
        );
        const answers = (await Promise.all(asked)).filter(Boolean).length;
        const heard = Object.entries(captures).map(async ([name, capture]) => {
          const packets = await capture.stop();
          return [name, packets.filter(({ source }) => /^(10\.77|fd77)/.test(source)).length] as const;
        });
        const arrived = Object.fromEntries(await Promise.all(heard)) as Record<string, number>;
        expect(answers === (reached === null ? 0 : asked.length), 'answers of its own employer', answers);
        for (const [name, count] of Object.entries(arrived)) {
          expect(count > 0 === (name === reached), `packets at ${reached ?? 'nobody'} only`, arrived);
        }
        return `${answers} of ${asked.length} answers on port ${probePort} and by ping, ${JSON.stringify(arrived)}`;
      });
    }
    await step('the two of work do not reach each other, nor the kids', async () => {
      const pairs = [
        ['pc', addresses.pc2],
        ['pc2', addresses.pc],
        ['pc', addresses.kids],
        ['kids', addresses.pc2],
      ] as const;
      const asked = pairs.flatMap(([from, to]) => [
        probers[from]?.ask('icmp', to.v4),
        probers[from]?.ask('tcp', to.v6),
      ]);
      const answers = (await Promise.all(asked)).filter(Boolean).length;
      expect(answers === 0, 'no answer', answers);
      return `${asked.length} probes`;
    });
    await step('one employer goes away: the other does not notice', async () => {
      await lab.host('portal2').ip('link set wan down');
      const ping = await lab.pc.ping(corp.v4, { count: 50 });
      expect(ping.received === 50, '50 answers', ping.received);
      expect((await home.peer('portal')).state === 'up', 'the first tunnel up', await home.peer('portal'));
      return undefined;
    });
  },
};
