import { existsSync, readFileSync } from 'node:fs';
import { residentOctets as residentOctetsOf } from '../../../appliance/supervisor/memory.ts';
import { formatMs } from '../measures.ts';
import { Moat } from '../moat.ts';
import { sleep } from '../processes.ts';
import { expect, type Step, type Story } from '../story.ts';
import { everyService } from '../zoned.ts';

export const story: Story = {
  name: 'supervisor-rest',
  summary:
    'memory and processor of the whole appliance at rest, and its start: the first of its life, and one after it',
  async run(stage) {
    const { step } = stage;
    const { lab, config } = await everyService(stage);
    const start = (stateDirectory?: string) =>
      started(step, () => Moat.start(lab.moat, { config, ...(stateDirectory ? { stateDirectory } : {}) }));
    const first = await start();
    await atRest(step, 'a minute after the first start of its life', first);
    await first.stop();
    const second = await start(first.stateDirectory);
    await atRest(step, 'a minute after another start', second);
  },
};

/** The bars; a busy machine is given twice the time, and no more memory. */
const bars = { startMs: 3000, octets: 256e6, percent: 1, forABusyMachine: 2 } as const;

async function started(step: Step, start: () => Promise<Moat>): Promise<Moat> {
  let home: Moat | undefined;
  await step(`from the start to the tunnel up: below ${formatMs(bars.startMs)}`, async () => {
    const began = performance.now();
    home = await start();
    await home.up(30_000);
    const took = performance.now() - began;
    expect(took < bars.startMs * bars.forABusyMachine, 'in time', took);
    return formatMs(took);
  });
  if (!home) throw new Error('moat did not start');
  return home;
}

async function atRest(step: Step, when: string, home: Moat): Promise<void> {
  await step(`${when}: below ${megabytes(bars.octets)} and ${bars.percent} % of a core`, async () => {
    await sleep(40_000);
    await home.settled(30_000);
    const before = await ticks(home);
    await sleep(20_000);
    const percent = ((await ticks(home)) - before) / 20;
    const { services, residentOctets } = await home.status();
    const parts = services.map(({ name, pid, sparePid }) =>
      [name, ...[pid, sparePid].map((each) => (each === null ? '' : megabytes(residentOctetsOf(each))))].join(' '),
    );
    expect(residentOctets < bars.octets, `below ${megabytes(bars.octets)}`, { residentOctets, parts });
    expect(percent < bars.percent * bars.forABusyMachine, `below ${bars.percent} %`, percent);
    const supervisor = megabytes(residentOctetsOf(home.process.child.pid ?? 0));
    return `${megabytes(residentOctets)} (supervisor ${supervisor}, ${parts.join(', ')}), ${percent.toFixed(2)} % of a core`;
  });
}

const megabytes = (octets: number) => `${(octets / 1e6).toFixed(0)} MB`;

/** The appliance and all that it has started (chronyd): what runs in its namespace, besides those who ask. */
async function processes({ host }: Moat): Promise<number[]> {
  const shown = await host.must(['sh', '-c', 'ip netns pids "$(ip netns identify)" | grep -vx $$']);
  return shown
    .trim()
    .split('\n')
    .map(Number)
    .filter((pid) => existsSync(`/proc/${pid}/stat`));
}

/** Hundredths of a second of processor time. */
async function ticks(home: Moat): Promise<number> {
  return (await processes(home)).reduce((sum, pid) => {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return sum + Number(fields[11]) + Number(fields[12]);
  }, 0);
}
