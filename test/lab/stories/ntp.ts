import { apart } from '../../interop/ntp/estimates.ts';
import { House } from '../lan-house.ts';
import { formatMs } from '../measures.ts';
import type { Moat } from '../moat.ts';
import { until } from '../processes.ts';
import { expect, type Step, type Story } from '../story.ts';
import { addresses } from '../topology.ts';

const { corp, moatDirect, moatKids, moatLan } = addresses;
const toleranceSeconds = 0.001;

export const story: Story = {
  name: 'ntp',
  summary:
    "a foreign chrony behind the box agrees with the company's clock; served on when that is gone, to the LAN alone",
  run: (stage) => House.with(stage, (house) => play(house, stage.step)),
};

async function play(house: House, step: Step): Promise<void> {
  const { lab } = house;
  const wallBefore = Date.now() - performance.now();
  await house.startPortal();
  const home = await house.startHome();
  await home.up();
  await step('a chrony client behind the box: within 1 ms of the reference', () => agrees(house));
  await step('asked on the wild side or from the zone of the kids: silence', async () => {
    const strangers = [
      [moatDirect.v4, lab.internet],
      [moatLan.v4, lab.internet],
      [moatKids.v4, lab.host('kids')],
    ] as const;
    for (const [server, from] of strangers) {
      const offset = await house.askTime(server, from);
      expect(Number.isNaN(offset), `no answer of ${server} to ${from.name}`, offset);
    }
    return undefined;
  });
  await step('chronyd killed: it serves again', () => killed(house, home));
  await step('the WAN cut: the time goes on', async () => {
    await lab.internet.ip('link set home down');
    await lab.corp.ip('link set lan down');
    const offset = await house.askTime(moatLan.v4, lab.pc);
    expect(Math.abs(offset) < 0.1, 'an answer', offset);
    return `${(Math.abs(offset) * 1e6).toFixed(0)} us from the kernel's clock`;
  });
  await step("nobody has moved this machine's clock", async () => {
    const moved = Math.abs(Date.now() - performance.now() - wallBefore);
    expect(moved < 500, 'within 500 ms', moved);
    return undefined;
  });
}

/** The client has both for sources: ours, and the company's own clock through the tunnel. */
async function agrees(house: House): Promise<string> {
  const poll = 'iburst minpoll 0 maxpoll 0';
  const ask = house.startChronyd(house.lab.pc, [`server ${moatLan.v4} ${poll}`, `server ${corp.v4} ${poll}`]);
  let difference = Number.NaN;
  await until('both clocks heard, and alike', 30_000, async () => {
    const { stdout } = await house.lab.pc.run([...ask, 'sourcestats']);
    difference = apart(stdout, moatLan.v4, corp.v4) ?? Number.NaN;
    return difference < toleranceSeconds;
  }).catch((error: unknown) => expect(false, 'less than 1 ms', { difference, error }));
  return `${(difference * 1e6).toFixed(0)} us apart`;
}

async function killed(house: House, home: Moat): Promise<string> {
  const chronyd = await house.lab.moat.must(['sh', '-c', `pgrep -P ${await home.servicePid('ntp')}`]);
  process.kill(Number(chronyd.trim()), 'SIGKILL');
  const took = await until('an answer', 10_000, async () => {
    return !Number.isNaN(await house.askTime(moatLan.v4, house.lab.pc));
  });
  return `after ${formatMs(took)}`;
}
