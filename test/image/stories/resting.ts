/** What a box costs: the processor time of a start by its parts, and what it writes to its disk while nothing happens. */
import assert from 'node:assert/strict';
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

/** What a start still has to write, such as compiled code, is on the disk then. */
const settlingMinutes = 5;
const monthMinutes = 30 * 1440;
const mostMonthOctets = 100e6;

/** A minute is a line; `MOAT_IMAGE_MINUTES` of them (15). Those after the first five say what a month would be: everything counted at the disk. */
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
  const rest = written.slice(settlingMinutes);
  const octets = rest.reduce((sum, one) => sum + one, 0);
  const month = (octets / rest.length) * monthMinutes;
  const said = `${octets} octets in ${rest.length} minutes, ${(month / 1e6).toFixed(1)} MB a month`;
  assert.ok(month < mostMonthOctets, said);
  return said;
}

const sectorOctets = 512;
const sectors = "awk '{print $7}' /sys/block/vda/stat";
const trace = '/run/trace';
/** The kernel says who hands what to the disk, and who makes which node of the data partition dirty: also what leaves no file changed. */
const listen = `[ -e ${trace}/trace ] || { mkdir ${trace}; mount -t tracefs t ${trace}; }; \
for e in block/block_rq_issue ext4/ext4_mark_inode_dirty; do echo 1 >${trace}/events/$e/enable; done; : >${trace}/trace; : >/run/nodes`;
/** `[process] COUNT sectors`, and `process: PATH` of what it made dirty. */
const heard = `awk '/block_rq_issue: [0-9,]+ [A-Z]*W/{for(i=1;i<=NF;i++)if($i=="+")s[$NF]+=$(i+1)} \
/ext4_mark_inode_dirty:/{sub(/-[0-9]+$/,"",$1);for(i=1;i<=NF;i++)if($i=="ino")d[$(i+1)" "$1]} \
END{for(n in s)print n,s[n]" sectors";for(k in d)print k >"/run/nodes"}' ${trace}/trace; \
while read node name; do echo "$name: $(find /var -xdev -inum $node)"; done </run/nodes`;

async function oneMinute(box: Box): Promise<{ octets: number; who: string }> {
  const before = await box.shell(`${listen}; ${sectors}`);
  await sleep(60_000);
  const [last = '', ...who] = (await box.shell(`${sectors}; ${heard}`)).trim().split('\n');
  const octets = (Number(last) - Number(before)) * sectorOctets;
  return { octets, who: who.length === 0 ? '' : ` (${who.join(', ')})` };
}
