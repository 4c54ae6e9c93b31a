import { formatMs, formatRate } from '../measures.ts';
import { expect, type Story } from '../story.ts';

/** No moat anywhere: what the other stories measure against has to be true itself. */
export const story: Story = {
  name: 'plain',
  summary: 'the world itself, without moat: routing, NAT, and an internet that is as bad as it is told',
  async run({ world, step }) {
    const { pc, corp, internet, addresses } = await world({ plainPath: true });
    const both = [addresses.corp.v4, addresses.corp.v6];

    for (const target of both) {
      await step(`pc pings corp at ${target}, three routers away`, async () => {
        const ping = await pc.ping(target, { count: 50 });
        expect(ping.received === 50, '50 answers', ping.received);
        expect(ping.ttl === 61, 'a TTL of 61', ping.ttl);
        return formatMs(ping.median);
      });
    }
    await step('pc reads the page of corp by name', async () => {
      const page = await pc.page('http://corp/');
      expect(page.includes('Welcome to the corporation'), 'the page', page);
      return undefined;
    });
    for (const target of both) {
      await step(`pc fetches 100 MB over HTTP from ${target}, byte for byte`, async () => {
        return formatRate((await pc.fetch(target, { octets: 100e6 })).bitsPerSecond);
      });
    }
    await step('the same through the impairment element with nothing set', async () => {
      await internet.impair({});
      return formatRate((await pc.fetch(addresses.corp.v4, { octets: 100e6 })).bitsPerSecond);
    });
    await step('20 ms of delay each way are 40 ms of round trip', async () => {
      await internet.impair({ delayMs: 20 });
      const { median } = await pc.ping(addresses.corp.v6, { count: 50 });
      expect(median >= 40 && median < 60, '40 ms or a little more', median);
      return formatMs(median);
    });
    await step('a path of 1400 octets answers "too big" and cuts what may be cut', async () => {
      await internet.impair({ mtu: 1400 });
      const told = await corp.ping(addresses.pc.v4, { size: 1500, fragment: false });
      expect(told.received === 0 && told.errors.some((line) => line.includes('mtu=1400')), 'mtu=1400', told.errors);
      const cut = await pc.ping(addresses.corp.v4, { size: 1500 });
      expect(cut.received === 3, '3 answers', cut.received);
      return told.errors[0]?.replace(/^From /, 'from ');
    });
    await step('with ICMP eaten the same path is a black hole', async () => {
      await internet.impair({ mtu: 1300, icmp: 'eaten' });
      const page = await pc.run(['curl', '-sS', '--max-time', '2', '-o', '/dev/null', 'http://corp/bytes/100000']);
      expect(page.code === 28, 'curl to time out (28)', page.code);
      return page.stderr.trim();
    });
    await step('a blocked port answers no more', async () => {
      await internet.impair({ block: ['tcp:80'] });
      const page = await pc.run(['curl', '-sS', '--max-time', '1', 'http://corp/']);
      expect(page.code === 28, 'curl to time out (28)', page.code);
      expect((await pc.ping(addresses.corp.v4)).received === 3, 'ping to pass', 'lost');
      return undefined;
    });
    await step('at 20 Mbit/s a fetch takes its time', async () => {
      await internet.impair({ rateMbit: 20, queueMs: 40 });
      const { bitsPerSecond } = await pc.fetch(addresses.corp.v4, { octets: 4e6 });
      expect(bitsPerSecond > 8e6 && bitsPerSecond < 20e6, '8 to 20 Mbit/s', bitsPerSecond);
      return formatRate(bitsPerSecond);
    });
    await behindNat(world, step);
  },
};

async function behindNat(world: Parameters<Story['run']>[0]['world'], step: Parameters<Story['run']>[0]['step']) {
  const home = await world({ nat: true, plainPath: true });
  await step("behind a home router: IPv4 leaves with the router's address, IPv6 with its own", async () => {
    const capture = await home.internet.capture('home', 'icmp or icmp6');
    await home.pc.ping(home.addresses.corp.v4);
    await home.pc.ping(home.addresses.corp.v6);
    const packets = await capture.stop();
    const sources = new Set(packets.map((packet) => packet.source));
    expect(sources.has(home.addresses.homeRouterWan.v4), "the router's IPv4 address", [...sources]);
    expect(!sources.has(home.addresses.pc.v4), 'no address of the LAN', [...sources]);
    expect(sources.has(home.addresses.pc.v6), "the PC's own IPv6 address", [...sources]);
    return `${packets.length} packets seen`;
  });
  await step('and nobody outside reaches the PC unasked over IPv4', async () => {
    const { received } = await home.corp.ping(home.addresses.pc.v4, { wait: 300 });
    expect(received === 0, 'no answer', received);
    return undefined;
  });
}
