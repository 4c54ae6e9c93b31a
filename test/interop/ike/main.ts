/** `main.ts [--only TEXT] [--json] [--list]`: strongSwan 5.9.8 and 6.1.0, calling and called; one line a case, exit code 1 if any fails. */

import { relative } from 'node:path';
import { parseArgs } from 'node:util';
import { buildAddon } from '../../lab/moat.ts';
import { LabError } from '../../lab/requirements.ts';
import { cleanUpOnSignals } from '../../lab/signals.ts';
import { strongswan598, strongswan610 } from '../strongswan.ts';
import { Bench, type Role } from './bench.ts';
import { type Case, casesFor, type Version } from './cases.ts';

const { values } = parseArgs({
  options: {
    only: { type: 'string', default: '' },
    json: { type: 'boolean', default: false },
    list: { type: 'boolean', default: false },
  },
});

const recipes = { '5.9.8': strongswan598, '6.1.0': strongswan610 } as const;

interface Planned extends Case {
  readonly title: string;
  readonly version: Version;
  readonly role: Role;
}

interface Outcome {
  readonly case: string;
  readonly ok: boolean;
  readonly seconds: number;
  readonly said: string;
}

/** `--only 6.1.0/called/rekey`: all cases whose title has the text in it. */
const planned: Planned[] = (['5.9.8', '6.1.0'] as const).flatMap((version) =>
  (['called', 'calls'] as const).flatMap((role) =>
    casesFor(version, role)
      .map((each) => ({ ...each, version, role, title: `${version}/${role}/${each.setup.name}/${each.name}` }))
      .filter(({ title }) => title.includes(values.only)),
  ),
);

function report({ case: title, ok, seconds, said }: Outcome): void {
  if (values.json) console.log(JSON.stringify({ case: title, ok, seconds, said }));
  else console.log(`${ok ? 'ok   ' : 'FAIL '} ${title}  ${seconds.toFixed(1)} s  ${said}`);
}

async function played({ title, play }: Planned, bench: Bench): Promise<boolean> {
  const began = performance.now();
  const seconds = () => (performance.now() - began) / 1000;
  try {
    const said = await play(bench);
    report({ case: title, ok: true, seconds: seconds(), said });
    return true;
  } catch (error) {
    const where = `logs: ${relative(process.cwd(), bench.lab.runDirectory)}`;
    report({ case: title, ok: false, seconds: seconds(), said: `${(error as Error).message} (${where})` });
    return false;
  }
}

/** Cases that share a setup, one after the other in the same world. */
async function playGroup(group: readonly Planned[]): Promise<number> {
  const [first] = group;
  if (!first) return 0;
  const began = performance.now();
  let bench: Bench;
  try {
    bench = await Bench.up(first.setup, first.role, recipes[first.version]);
  } catch (error) {
    const seconds = (performance.now() - began) / 1000;
    for (const { title } of group) report({ case: title, ok: false, seconds, said: (error as Error).message });
    return group.length;
  }
  let failures = 0;
  for (const each of group) failures += Number(!(await played(each, bench)));
  await bench.down();
  return failures;
}

function grouped(): Planned[][] {
  const groups = new Map<string, Planned[]>();
  for (const each of planned) {
    const key = `${each.version}/${each.role}/${each.setup.name}`;
    groups.set(key, [...(groups.get(key) ?? []), each]);
  }
  return [...groups.values()];
}

async function main(): Promise<void> {
  if (values.list) {
    for (const { title } of planned) console.log(title);
    return;
  }
  if (planned.length === 0) throw new LabError(`no case has '${values.only}' in its name: see --list`);
  await buildAddon();
  const began = performance.now();
  let failures = 0;
  for (const group of grouped()) failures += await playGroup(group);
  const minutes = (performance.now() - began) / 60_000;
  if (!values.json) console.log(`${planned.length} cases, ${failures} failed, ${minutes.toFixed(1)} min`);
  if (failures > 0) process.exitCode = 1;
}

cleanUpOnSignals();
try {
  await main();
} catch (error) {
  console.error(`moat interop: ${error instanceof LabError ? error.message : (error as Error).stack}`);
  process.exitCode = 1;
}
