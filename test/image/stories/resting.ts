/** What a box costs: the processor time of a start by its parts, and what it writes to its disk while nothing happens. */
import { sleep } from '../../lab/processes.ts';
import type { Box } from '../box.ts';
import type { Ground } from '../ground.ts';
import { lanServices } from '../office.ts';

/** Ends of the parts of a start, by what is said then. */
const parts = [
  ['firmware', /moat: trying slot/],
  ['boot loader, kernel', /moat: slot [ab]\n/],
  ['initramfs and reading the root', /moat: root verified/],
  ['system until the data partition', /moat: data partition/],
  ['prepare', /moat: public key/],
  ['services until the tunnel', /moat: works in slot/],
] as const;

/** Processor seconds of the units that live, then of those that have ended (as the journal has it); where the kernel waited; who worked. */
const insideCommand = `cd /sys/fs/cgroup; for f in system.slice/*/cpu.stat init.scope/cpu.stat; do
  awk -v u=\${f%/cpu.stat} '/^usage_usec/{printf "%.1f %s\\n",$2/1e6,u}' $f; done | sort -rn | head -12
  journalctl -b -o cat --no-pager | grep -i consumed | head -20
  dmesg | sed -n 's/^\\[ *\\([0-9.]*\\)\\] /\\1 /p' | awk '$1-l>0.15{print l" to "$0} {l=$1}' | cut -c 1-100 | head -30
  cat /sys/devices/system/clocksource/clocksource0/current_clocksource
  awk '/^cpu /{printf "user %.1f system %.1f idle %.1f irq %.1f\\n",$2/100,$4/100,$5/100,($7+$8)/100}' /proc/stat
  ps -eo cputimes=,args= | sort -rn | head -12; lsmod | wc -l`;

export async function costOfStart(ground: Ground): Promise<string> {
  const { disk } = await ground.seasoned('cost');
  const box = ground.start(disk, 'cost');
  const { at, processorSeconds } = await box.works();
  let before = 0;
  const costs = parts.map(([name, end]) => {
    const until = box.console.processorSecondsAt(end) ?? Number.NaN;
    const cost = (until - before).toFixed(1);
    before = until;
    return `${name} ${cost}`;
  });
  const inside = await box.shell(insideCommand, 120);
  await box.cut();
  return `works at ${at} s of the box's clock; ${processorSeconds} s of processor: ${costs.join(', ')}\n${inside}`;
}

const monthMinutes = 30 * 1440;

/** A minute is a line; `MOAT_IMAGE_MINUTES` of them (15). The last five say what a month would be. */
export async function writesAtRest(ground: Ground): Promise<string> {
  const disk = await ground.newDisk('rest', lanServices('dhcp'));
  const { box } = await ground.firstStart(disk, 'rest');
  await box.works();
  const minutes = Number(process.env.MOAT_IMAGE_MINUTES ?? 15);
  const written: number[] = [];
  for (let minute = 0; minute < minutes; minute++) {
    const { octets, who } = await oneMinute(box);
    written.push(octets);
    console.log(`rest, minute ${minute}: ${octets} octets${who}`);
  }
  await box.cut();
  const last = written.slice(-5);
  const month = (last.reduce((sum, octets) => sum + octets, 0) / last.length) * monthMinutes;
  return `${written.reduce((sum, octets) => sum + octets, 0)} octets in ${minutes} minutes; as in the last ${last.length}: ${(month / 1e6).toFixed(1)} MB a month`;
}

const sectorOctets = 512;
const sectors = "awk '{print $7}' /sys/block/vda/stat";
/** Process and octets that it has handed to a disk so far; files of /var that changed since the minute began. */
const writers =
  'for p in /proc/[0-9]*; do awk -v n=$(cat $p/comm) \'/^write_bytes/&&$2{print "#"n,$2}\' $p/io 2>/dev/null; done';
const changed = "find /var -xdev -newer /run/rest -printf '%p %s\\n'";

async function oneMinute(box: Box): Promise<{ octets: number; who: string }> {
  const before = await box.shell(`touch /run/rest; ${sectors}; ${writers}`);
  await sleep(60_000);
  const after = await box.shell(`${sectors}; ${writers}; ${changed}`);
  const [first = '', ...early] = before.trim().split('\n');
  const [last = '', ...late] = after.trim().split('\n');
  const news = late.filter((line) => !early.includes(line));
  const octets = (Number(last) - Number(first)) * sectorOctets;
  return { octets, who: news.length === 0 ? '' : ` (${news.join(', ')})` };
}
