/** Milliseconds: by then a zone that has just come is on disk, too. */
const delay = 500;

let waiting: NodeJS.Timeout | undefined;

/**
 * Collects garbage once, soon: reading or transferring a zone leaves more of it than a home's questions do in days,
 * and V8 on its own keeps what it has taken (5 MB of 73). Takes about 10 ms.
 */
export function tidyUpSoon(): void {
  clearTimeout(waiting);
  waiting = setTimeout(collect, delay).unref();
}

function collect(): void {
  // `gc` is there for contexts made while the flag is set; ours stays without. Not by import: see `probe.ts`.
  const { setFlagsFromString } = process.getBuiltinModule('node:v8');
  setFlagsFromString('--expose-gc');
  const gc = process.getBuiltinModule('node:vm').runInNewContext('gc') as NodeJS.GCFunction;
  setFlagsFromString('--no-expose-gc');
  gc({ type: 'major', execution: 'sync', flavor: 'last-resort' });
}
