import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import type { DataplaneEvent } from '../index.ts';

/** Why tests that need namespaces cannot run here; undefined when they can. */
export function whyNoNamespaces(): string | undefined {
  if (process.getuid?.() !== 0) return 'needs root: network namespaces and TUN';
  return spawnSync('ip', ['netns', 'list']).status === 0 ? undefined : 'needs iproute2';
}

export function run(command: string): string {
  const done = spawnSync('bash', ['-c', command], { encoding: 'utf8' });
  if (done.status !== 0) throw new Error(`${command}\n${done.stdout}${done.stderr}`);
  return done.stdout;
}

/** Two namespaces with a cable `wan` between them: 192.0.2.1 and 192.0.2.2. */
export function linkNamespaces(left: string, right: string): void {
  run(`ip netns add ${left}; ip netns add ${right}
    ip -n ${left} link add wan type veth peer name wan netns ${right}
    for n in ${left} ${right}; do ip -n $n link set lo up; ip -n $n link set wan up; done
    ip -n ${left} addr add 192.0.2.1/24 dev wan; ip -n ${right} addr add 192.0.2.2/24 dev wan`);
}

/** Gives the interfaces `moatA` and `moatB` of two planes their inner addresses, 10.81.1.1 and fd81:1::1 on the left, and routes to each other's network. */
export function addressInside(left: string, right: string): void {
  run(`ip -n ${left} addr add 10.81.1.1/24 dev moatA; ip -n ${left} route add 10.81.2.0/24 dev moatA
    ip -n ${right} addr add 10.81.2.1/24 dev moatB; ip -n ${right} route add 10.81.1.0/24 dev moatB
    ip -n ${left} addr add fd81:1::1/64 dev moatA nodad; ip -n ${left} route add fd81:2::/64 dev moatA
    ip -n ${right} addr add fd81:2::1/64 dev moatB nodad; ip -n ${right} route add fd81:1::/64 dev moatB`);
}

/** What ended, how, without throwing. */
export function attempt(command: string): { readonly ok: boolean; readonly output: string } {
  const done = spawnSync('bash', ['-c', command], { encoding: 'utf8' });
  return { ok: done.status === 0, output: done.stdout + done.stderr };
}

/** Seconds of processor time of a process's threads of that name so far, as the scheduler counts them. */
export function threadSeconds(pid: number, name: string): number {
  const threads = readdirSync(`/proc/${pid}/task`).map((thread) => `/proc/${pid}/task/${thread}`);
  const named = threads.filter((folder) => readFileSync(`${folder}/comm`, 'latin1').trim() === name);
  const spent = named.map((folder) => Number(readFileSync(`${folder}/schedstat`, 'latin1').split(' ')[0]) / 1e9);
  return spent.reduce((sum, seconds) => sum + seconds, 0);
}

type Reply = {
  readonly id?: number;
  readonly result?: unknown;
  readonly error?: { code: string; message: string };
  readonly event?: DataplaneEvent;
};

/** A data plane in a process inside a namespace; see `plane-process.ts`. */
export class RemotePlane {
  readonly events: DataplaneEvent[] = [];
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #waiting = new Map<number, { resolve: (value: unknown) => void; reject: (error: Error) => void }>();
  #nextId = 1;

  constructor(namespace: string) {
    const script = new URL('plane-process.ts', import.meta.url).pathname;
    this.#child = spawn('ip', ['netns', 'exec', namespace, process.execPath, script]);
    this.#child.stderr.pipe(process.stderr);
    createInterface({ input: this.#child.stdout }).on('line', (line) => this.#receive(JSON.parse(line) as Reply));
    this.#child.on('exit', (code, signal) => {
      for (const { reject } of this.#waiting.values())
        reject(new Error(`the plane's process ended: ${code ?? signal}`));
    });
  }

  /** Of the process that has the plane. */
  get pid(): number {
    return this.#child.pid ?? 0;
  }

  call<Result = unknown>(name: string, ...values: readonly unknown[]): Promise<Result> {
    const id = this.#nextId;
    this.#nextId += 1;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve: resolve as (value: unknown) => void, reject });
      this.#child.stdin.write(`${JSON.stringify({ id, call: name, arguments: values })}\n`);
    });
  }

  /** Closes the plane; the process must end by itself, since nothing may keep Node alive. */
  async end(): Promise<number | null> {
    if (this.#child.exitCode !== null) return this.#child.exitCode;
    const ended = new Promise<number | null>((resolve) => this.#child.once('exit', resolve));
    this.#child.stdin.end();
    return await ended;
  }

  #receive(reply: Reply): void {
    if (reply.event) this.events.push(reply.event);
    const waiting = this.#waiting.get(reply.id ?? 0);
    if (!waiting) return;
    this.#waiting.delete(reply.id ?? 0);
    if (reply.error) waiting.reject(Object.assign(new Error(reply.error.message), { code: reply.error.code }));
    else waiting.resolve(reply.result);
  }
}

const whole = { startAddress: '0.0.0.0', endAddress: '255.255.255.255', protocol: 0, startPort: 0, endPort: 65535 };

/** Installs an SA for everything, out under `spi` and back under the next, in planes of `linkNamespaces`; what was installed before is superseded. */
export async function connectPlanes(a: RemotePlane, b: RemotePlane, spi: number, aggfrag = true): Promise<void> {
  const capabilities = { pathProbes: true, superPackets: false };
  const common = {
    tunnel: 1,
    cipher: 'aes-256-gcm-16',
    esn: true,
    aggfrag,
    capabilities,
    local: [whole],
    remote: [whole],
  };
  const outbound = { encapsulation: 'udp', keepaliveSeconds: 0, followPeer: false, activate: 'now' };
  const end = (last: number) => ({ address: `192.0.2.${last}`, port: 4500 });
  const sa = (direction: number) => ({ ...common, spi: spi + direction, key: { hex: 'a1'.repeat(36) } });
  await a.call('installInbound', sa(1));
  await b.call('installInbound', sa(0));
  // Said is not done: the thread takes it up in its next turn, and what comes before that has no SA. IKE's own message to the peer goes the same way, behind it.
  await new Promise((resolve) => setTimeout(resolve, 50));
  await a.call('installOutbound', { ...sa(0), ...outbound, path: { local: end(1), remote: end(2) } });
  await b.call('installOutbound', { ...sa(1), ...outbound, path: { local: end(2), remote: end(1) } });
}
