import { corpZone, firstSerial, House, publicZone } from '../lan-house.ts';
import { formatMs } from '../measures.ts';
import type { Moat } from '../moat.ts';
import { until } from '../processes.ts';
import { expect, type Step, type Story } from '../story.ts';
import { addresses } from '../topology.ts';

const { corp, internetHome, moatLan } = addresses;

const inside = `host-7.site-7.${corpZone} A`;
const given = '10.9.0.7';
const patienceMs = 20_000;

export const story: Story = {
  name: 'split-dns',
  summary:
    "the portal gives an address, a resolver and a domain (RFC 8598): the LAN asks the company's BIND about that domain while there is a tunnel",
  run: (stage) => House.with(stage, (house) => play(house, stage.step)),
};

async function play(house: House, step: Step): Promise<void> {
  const wild = await house.lab.moat.capture('wan', 'port 53');
  const portal = await house.startPortal({
    peer: { assigns: { addresses: [given], dns: [corp.v4], domains: [corpZone] } },
  });
  const home = await startHome(house);
  await step('names of the company, as its BIND has them, from the first answer on', async () => {
    const theirs = await house.dig(inside, { server: corp.v4, from: house.lab.corp });
    await until('the same', patienceMs, async () => (await house.dig(inside)).data.join() === theirs.data.join());
    expect((await house.serial()) === firstSerial, 'its SOA too', firstSerial);
    return theirs.data.join();
  });
  await step('on the wild side nobody is asked about them', async () => {
    await house.dig(`seen.${publicZone} A`);
    const asked = (await wild.stop()).map(({ octets }) => octets.toString('latin1').toLowerCase());
    const about = (label: string) => asked.filter((text) => text.includes(label)).length;
    expect(about('host-7') === 0 && about('seen') > 0, 'a question about the public name only', asked.length);
    return `${asked.length} packets looked at`;
  });
  await step('killed: the DNS service is told again', async () => {
    process.kill(await home.servicePid('dns'), 'SIGKILL');
    return formatMs(await until('an answer', patienceMs, async () => (await house.dig(inside)).data.length === 1));
  });
  await step('killed: the tunnel process is given them again', async () => {
    process.kill(await home.servicePid('tunnel'), 'SIGKILL');
    await home.up();
    return formatMs(await until('an answer', patienceMs, async () => (await house.dig(inside)).data.length === 1));
  });
  await step('without the tunnel nothing of it is left', async () => {
    await portal.stop();
    const took = await until('no such name', patienceMs, async () => (await house.dig(inside)).status === 'NXDOMAIN');
    const device = await house.lab.moat.must(['ip', '-4', 'address', 'show']);
    expect(!device.includes(given), 'the address is given back', device);
    return formatMs(took);
  });
  await step('with the next one all is back', async () => {
    await portal.startAgain();
    await home.up(60_000);
    return formatMs(await until('an answer', patienceMs, async () => (await house.dig(inside)).data.length === 1));
  });
}

/** No zone and no resolver of the company's in its own configuration. */
async function startHome(house: House): Promise<Moat> {
  const { dns, peers } = house.config() as { dns: object; peers: readonly object[] };
  const forward = [{ domain: '.', servers: [{ address: internetHome.v4 }] }];
  const home = await house.startHome({
    dns: { ...dns, zones: [], keys: [], forward, listen: [{ address: moatLan.v4 }] },
    peers: peers.map((peer) => ({ ...peer, requests: ['ipv4'] })),
  });
  await home.up();
  await until("the company's SOA", patienceMs, async () => (await house.serial()) === firstSerial);
  return home;
}
