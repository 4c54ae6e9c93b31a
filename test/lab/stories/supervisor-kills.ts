import { readdirSync } from 'node:fs';
import { Flow, type FlowResult, type Hole } from '../flow.ts';
import { formatMs, quantile } from '../measures.ts';
import { Moat } from '../moat.ts';
import { sleep } from '../processes.ts';
import { expect, type Story } from '../story.ts';
import { addresses } from '../topology.ts';
import type { World } from '../world.ts';
import { everyService, killService, portalZones } from '../zoned.ts';

/** Of each service; 100 is the long run. */
const kills = Number(process.env.MOAT_LAB_KILLS ?? 8);
const services = ['tunnel', 'dns', 'dhcp', 'ntp'];
const rateMbit = 20;
const octets = 1200;
/** What a tunnel that is gone loses in this time is an interruption; less is a busy machine. */
const interruptionMs = 100;
const interruptionPackets = (rateMbit * 1e6 * interruptionMs) / 8 / octets / 1000;
const longestMs = 2000;

interface Kill {
  readonly service: string;
  /** On the clock of the flow. */
  readonly atMs: number;
}

export const story: Story = {
  name: 'supervisor-kills',
  summary: `each service is killed ${kills} times in random order under load: the tunnel notices its own kills only`,
  async run(stage) {
    const { step } = stage;
    const { lab, config } = await everyService(stage, { portal: portalZones });
    const home = await Moat.start(lab.moat, { config });
    await home.up();
    await home.settled(30_000);
    for (const service of services) await killService(home, service); // what is compiled and made once is there now
    await recovered(home, services);
    const whole = () =>
      home.until('complete', (status) => status.services.some(({ sparePid }) => sparePid !== null), 30_000);
    await whole();
    await sleep(3000);
    const before = await footprint(lab, home);
    let result: FlowResult | undefined;
    let killed: readonly Kill[] = [];
    await step(`${services.join(', ')} are killed ${kills} times each, under ${rateMbit} Mbit/s`, async () => {
      const flow = await Flow.start(lab.pc, lab.corp, { target: addresses.corp.v4, rateMbit, seconds: 3500, octets });
      const began = performance.now();
      killed = await killAll(home);
      flow.end();
      result = await flow.finish();
      const seconds = (performance.now() - began) / 1000;
      return `${killed.length} kills in ${seconds.toFixed(0)} s, ${result.received} packets`;
    });
    await step('every interruption is by a kill of the tunnel, and below 2 s', async () =>
      judged(result?.holes ?? [], killed),
    );
    await step('nothing has leaked: processes, descriptors, rules, routes', async () => {
      await whole();
      const wanted = JSON.stringify({ ...before, descriptors: 0 });
      // What has just been started may still be starting its own.
      for (let tries = 0; ; tries += 1) {
        const after = await footprint(lab, home);
        const fits =
          JSON.stringify({ ...after, descriptors: 0 }) === wanted && after.descriptors <= before.descriptors + 4;
        if (fits) return JSON.stringify(after);
        expect(tries < 20, `${wanted} and at most ${before.descriptors + 4} descriptors`, after);
        await sleep(500);
      }
    });
  },
};

/** In random order, each as soon as the one before has recovered and a moment has passed. */
async function killAll(home: Moat): Promise<Kill[]> {
  const done: Kill[] = [];
  for (const service of shuffled(services.flatMap((name) => Array<string>(kills).fill(name)))) {
    done.push({ service, atMs: await killService(home, service) });
    await recovered(home, [service]);
    await sleep(Math.random() * 500);
  }
  return done;
}

function shuffled<T>(values: readonly T[]): T[] {
  return values
    .map((value) => ({ value, at: Math.random() }))
    .sort((a, b) => a.at - b.at)
    .map(({ value }) => value);
}

async function recovered(home: Moat, names: readonly string[]): Promise<void> {
  const what = `${names.join(' and ')} running`;
  const running = (name: string, status: Awaited<ReturnType<Moat['status']>>) =>
    status.services.some((each) => each.name === name && each.state === 'running');
  await home.until(what, (status) => names.every((name) => running(name, status)), 60_000);
  if (names.includes('tunnel')) await home.up(30_000);
}

function judged(holes: readonly Hole[], kills: readonly Kill[]): string {
  const ofTunnel = kills.filter(({ service }) => service === 'tunnel');
  const owned = ({ endedMs, gapMs }: Hole) =>
    ofTunnel.some(({ atMs }) => atMs <= endedMs && atMs >= endedMs - gapMs - interruptionMs);
  const others = holes.filter((hole) => !owned(hole));
  const interruptions = others.filter(({ lost }) => lost >= interruptionPackets);
  expect(interruptions.length === 0, 'no interruption by anything else', interruptions);
  const gaps = holes.filter(owned).map(({ gapMs }) => gapMs);
  const longest = Math.max(...gaps);
  expect(longest < longestMs, `each below ${longestMs} ms`, gaps.toSorted((a, b) => b - a).slice(0, 20));
  const least = Math.ceil(ofTunnel.length / 2);
  expect(gaps.length >= least, `at least ${least} interruptions, or the load saw nothing`, gaps.length);
  const [median, late] = [quantile(gaps, 0.5), quantile(gaps, 0.95)].map(formatMs);
  const rest = others.reduce((sum, { lost }) => sum + lost, 0);
  return `${gaps.length} interruptions by ${ofTunnel.length} kills: median ${median}, 95 of 100 below ${late}, longest ${formatMs(longest)}; ${rest} other packets lost`;
}

async function footprint(lab: World, home: Moat) {
  const lines = async (...command: string[]) => (await lab.moat.must(command)).trim().split('\n').length;
  return {
    processes: (await lab.moat.must(['sh', '-c', 'ip netns pids "$(ip netns identify)" | wc -l'])).trim(),
    descriptors: readdirSync(`/proc/${home.process.child.pid}/fd`).length,
    rules: await lines('nft', 'list', 'ruleset'),
    routes: await lines('ip', 'route', 'show', 'table', 'all'),
    policies: await lines('ip', 'rule', 'show'),
  };
}
