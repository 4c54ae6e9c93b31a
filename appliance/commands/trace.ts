/**
 * `moat trace ZONE`: what becomes of each packet of a zone, by the kernel's own word (nftables' tracing): which rule let it pass, or
 * which dropped it. The rules that switch it on are a table of their own, which goes when the command ends.
 */
import { spawn, spawnSync } from 'node:child_process';
import { createInterface } from 'node:readline';
import { Verdicts } from '../host/trace.ts';
import { ask } from './control.ts';

export interface TraceOptions {
  readonly state: string;
  readonly count?: string;
  readonly rate: string;
}

const table = 'moat_trace';

/** @throws {Error} with a sentence when there is no such zone, or the kernel does not let us look. */
export async function traceCommand(zone: string, options: TraceOptions): Promise<void> {
  const { zones } = await ask(options.state, { kind: 'status' });
  const device = zones[zone];
  if (device === undefined) {
    throw new Error(`there is no zone '${zone}' in this box: ${Object.keys(zones).join(', ') || 'it has none'}`);
  }
  switchOn(device, whole('rate', options.rate));
  const limit = options.count === undefined ? Number.POSITIVE_INFINITY : whole('count', options.count);
  process.stderr.write(`Packets that come from ${zone} (${device}), until Ctrl-C:\n`);
  try {
    await follow(limit);
  } finally {
    spawnSync('nft', ['delete', 'table', 'inet', table]);
  }
}

function whole(name: string, text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new Error(`--${name}: expected a whole number of at least 1`);
  return Number(text);
}

/** New flows and the first packets of old ones: a limit keeps a busy line from filling the screen and the processor. */
function switchOn(device: string, perSecond: number): void {
  const rules = [
    `table inet ${table}`,
    `delete table inet ${table}`,
    `table inet ${table} { chain c { type filter hook prerouting priority -400; iifname "${device}" limit rate ${perSecond}/second burst 5 packets meta nftrace set 1; }; }`,
  ].join('\n');
  const { status, stderr } = spawnSync('nft', ['-f', '-'], { input: rules, encoding: 'utf8' });
  if (status !== 0) throw new Error(`the kernel cannot trace packets: ${stderr?.split('\n')[0] ?? 'nft is missing'}`);
}

async function follow(limit: number): Promise<void> {
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', 'nft', 'monitor', 'trace'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  // Ctrl-C ends what we look at; we then clean up.
  const end = () => child.kill('SIGTERM');
  process.once('SIGINT', end);
  process.once('SIGTERM', end);
  const verdicts = new Verdicts();
  let seen = 0;
  for await (const line of createInterface({ input: child.stdout })) {
    const said = verdicts.take(line);
    if (said === null) continue;
    process.stdout.write(`${said}\n`);
    seen += 1;
    if (seen >= limit) break;
  }
  end();
}
