/**
 * `npm run test:interop [-- RING...] [--only TEXT] [--json] [--list]`: other people's implementations. Rings: ike (two strongSwans), dhcp,
 * dns, ntp; all when none is named, `ike` alone with `--only`: there any part of a case's name, elsewhere the name of a step. What they
 * need is built on the way, into `.build/`. Each ring prints a line a case as it goes; exit code 1 if anything failed.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { Argument, Command, Option } from 'commander';
import { root } from './roots.ts';
import { strongswan598, strongswan610 } from './strongswan.ts';

const rings = ['ike', 'dhcp', 'dns', 'ntp'] as const;
type Ring = (typeof rings)[number];

const program = new Command('npm run test:interop --')
  .description(
    "other people's implementations against ours; what they need is built on the way, exit code 1 if anything fails",
  )
  .addArgument(new Argument('[ring...]', 'all when none is named').choices(rings))
  .addOption(new Option('--only <text>', "part of a case's name in the ring ike, the name of a step in the others"))
  .option('--json', 'a JSON object for each case or ring on stdout')
  .option('--list', 'only name what there is')
  .parse();
const values = program.opts<{ only?: string; json?: true; list?: true }>();
const positionals = program.args;
const unnamed: readonly Ring[] = values.only === undefined ? rings : ['ike'];
const chosen = positionals.length > 0 ? (positionals as Ring[]) : unnamed;

const say = (line: string) => console.error(`moat interop: ${line}`);

const words = [
  ...(values.only === undefined ? [] : ['--only', values.only]),
  ...(values.json ? ['--json'] : []),
  ...(values.list ? ['--list'] : []),
];

async function play(ring: Ring): Promise<boolean> {
  if (ring === 'ike' && !values.list) {
    for (const recipe of [strongswan598, strongswan610]) {
      say(`${recipe.name} of Debian ${recipe.suite}`);
      await root(recipe);
    }
  }
  say(`${ring} begins`);
  const began = performance.now();
  const script = fileURLToPath(new URL(`${ring}/main.ts`, import.meta.url));
  const child = spawn(process.execPath, [script, ...words], { stdio: 'inherit' });
  const [code] = (await once(child, 'exit')) as [number | null];
  const seconds = ((performance.now() - began) / 1000).toFixed(0);
  say(`${ring} ${code === 0 ? 'passed' : `FAILED with ${code}`} after ${seconds} s`);
  return code === 0;
}

const failed: Ring[] = [];
for (const ring of chosen) if (!(await play(ring))) failed.push(ring);
if (failed.length > 0) {
  say(`failed: ${failed.join(', ')}`);
  process.exitCode = 1;
}
