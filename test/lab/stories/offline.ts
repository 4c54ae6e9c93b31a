import { udhcpc } from '../../interop/dhcp/clients.ts';
import { providePackages } from '../../interop/dhcp/packages.ts';
import { addressesOf, corpZone, firstSerial, House, placeOf, publicZone } from '../lan-house.ts';
import { formatMs } from '../measures.ts';
import type { Moat } from '../moat.ts';
import { sleep, until } from '../processes.ts';
import { expect, type Step, type Story } from '../story.ts';
import { addresses } from '../topology.ts';

const { internetHome, moatKids, moatLan } = addresses;
const deadlines = { boot: 5000, back: 5000, failure: 100 } as const;

export const story: Story = {
  name: 'offline',
  summary: 'the WAN is dead at the start, cut while running, silent, and back: the house goes on and says why',
  run: (stage) => House.with(stage, (house) => play(house, stage.step)),
};

async function play(house: House, step: Step): Promise<void> {
  const { lab } = house;
  await providePackages();
  await house.startPortal();
  let home = await house.startHome();
  await home.up();
  await home.stop();
  await cable(house, 'out');
  await step('a cold boot without WAN: the LAN complete within 5 s of the start', async () => {
    const [took, started] = await coldBoot(house, home);
    home = started;
    return took;
  });
  await step('and public names fail at once, with the reason', () => failsFast(house, /internet/));
  await step('the WAN comes: tunnel, zone and public names within 5 s', () =>
    back(house, home, () => cable(house, 'in')),
  );
  await step('the cable is pulled: the house goes on, public names fail in under 100 ms', async () => {
    await cable(house, 'out');
    await sleep(1000);
    return `${await failsFast(house, /cable/)}; ${await goesOn(house)}`;
  });
  await step('why.moat says so', async () => {
    const { data } = await house.dig('why.moat TXT');
    expect(/cable/.test(data[0] ?? ''), 'a sentence about the cable', data);
    return data[0];
  });
  await step('plugged in: everything current within 5 s', () => back(house, home, () => cable(house, 'in')));
  await step('the provider goes silent: soon the same', async () => {
    await lab.internet.nft(silence);
    const took = await until('names to fail at once', 20_000, async () => {
      const { status, took: asked } = await house.dig(`${fresh()} A`, { seconds: 5 });
      return status === 'SERVFAIL' && asked < deadlines.failure;
    });
    return `noticed within ${formatMs(took)}; ${await failsFast(house, /answer|reach/)}; ${await goesOn(house)}`;
  });
  await step('the provider is back: everything current within 5 s', () => {
    return back(house, home, () => lab.internet.must(['nft', 'delete', 'table', 'inet', 'silence']));
  });
}

/** Whatever comes from the house or goes there vanishes, and nobody says so. */
const silence = `table inet silence {
  chain in { type filter hook prerouting priority -300; iifname "home" drop; }
  chain out { type filter hook postrouting priority 300; oifname "home" drop; }
}
`;

async function cable(house: House, where: 'in' | 'out'): Promise<void> {
  const { internet } = house.lab;
  if (where === 'out') await internet.ip('link set home down');
  // Taking the link down took its IPv6 addresses with it.
  else await internet.ip('link set home up', `address add ${internetHome.v6}/64 dev home`);
}

/** From the start of the process until the last of: a lease, a name of the company, one of the house, the time. */
async function coldBoot(house: House, stopped: Moat): Promise<[string, Moat]> {
  const { lab } = house;
  const kids = lab.host('kids');
  const client = udhcpc(await placeOf(kids), house.directory);
  client.start();
  const began = performance.now();
  const since = async (what: string, holds: () => Promise<boolean>) => {
    await until(what, 20_000, holds);
    return performance.now() - began;
  };
  const starting = stopped.startAgain();
  const name = async (question: string) => (await house.dig(question, { seconds: 1 })).data.length > 0;
  const took = await Promise.all([
    since('a lease', async () => (await addressesOf(kids)).length > 0),
    since("the company's name", () => name(`mail.${corpZone} A`)),
    since("the house's name", () => name('box.home.arpa A')),
    since('the time', async () => Math.abs(await house.askTime(moatLan.v4, lab.pc)) < 0.1),
  ]);
  await client.kill();
  const last = Math.max(...took);
  const [lease, company, own, time] = took.map(formatMs);
  expect(last < deadlines.boot, 'all within 5 s', took);
  return [`lease ${lease}, company ${company}, house ${own}, time ${time}`, await starting];
}

let asked = 0;
/** A public name that was never asked for. */
const fresh = () => `fresh-${++asked}.${publicZone}`;

async function failsFast(house: House, reason: RegExp): Promise<string> {
  const failures = [];
  for (let i = 0; i < 5; i += 1) failures.push(await house.dig(`${fresh()} A`, { seconds: 5 }));
  for (const failure of failures) {
    expect(failure.status === 'SERVFAIL' && failure.took < deadlines.failure, 'SERVFAIL in under 100 ms', failure);
    expect(reason.test(failure.reason), `a reason like ${reason}`, failure.reason);
  }
  const slowest = Math.max(...failures.map(({ took }) => took));
  return `at most ${slowest} ms: ${failures[0]?.reason}`;
}

/** A new lease, the company's names, the house's names and the time, with nobody outside. */
async function goesOn(house: House): Promise<string> {
  const { lab } = house;
  const kids = lab.host('kids');
  const client = udhcpc(await placeOf(kids), house.directory);
  client.start();
  await until('a lease', 10_000, async () => (await addressesOf(kids)).length > 0);
  const [address] = await addressesOf(kids);
  await until('its name', 2000, async () => (await house.dig('udhcpc-box.home.arpa A')).data[0] === address);
  await client.release();
  const corporate = await house.dig(`mail.${corpZone} A`, { server: moatKids.v4, from: lab.moat });
  expect(corporate.data.length === 1, "the company's name", corporate);
  const offset = await house.askTime(moatLan.v4, lab.pc);
  expect(Math.abs(offset) < 0.1, 'the time', offset);
  return 'lease, names and time go on';
}

let serial = firstSerial;

/** What changed at the company meanwhile is here within five seconds of the WAN's return. */
async function back(house: House, home: Moat, mend: () => Promise<unknown>): Promise<string> {
  serial += 1;
  house.publish(serial, serial - firstSerial);
  await until('BIND has it', 10_000, async () => (await house.serial(addresses.corp.v4, house.lab.corp)) === serial);
  await mend();
  const began = performance.now();
  const since = async (what: string, holds: () => Promise<boolean>) => {
    await until(what, 30_000, holds);
    return performance.now() - began;
  };
  const took = await Promise.all([
    since('the tunnel', async () => (await home.tunnel()).state === 'up'),
    since('public names', async () => (await house.dig(`${fresh()} A`, { seconds: 1 })).status === 'NOERROR'),
    since("the company's zone", async () => (await house.serial()) === serial),
  ]);
  const [tunnel, names, zone] = took.map(formatMs);
  expect(Math.max(...took) < deadlines.back, 'all within 5 s', took);
  return `tunnel ${tunnel}, public names ${names}, the zone ${zone}`;
}
