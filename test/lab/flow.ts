import type { Host } from './host.ts';
import { sleep } from './processes.ts';
import { build } from './programs.ts';
import type { Running } from './running.ts';

export interface FlowOptions {
  /** Where the packets go, an address of the receiving host. */
  readonly target: string;
  readonly port?: number;
  /** Of the whole IP packet; 1400 when not given. */
  readonly octets?: number;
  readonly rateMbit: number;
  /** At most; `end()` may come before. */
  readonly seconds: number;
  /** How long what is still under way is waited for after the last packet, milliseconds; 400 when not given. */
  readonly settleMs?: number;
  /** Sets DF (IPv4) and ignores "too big". */
  readonly dontFragment?: boolean;
}

export interface FlowResult {
  readonly sent: number;
  /** Packets that the sender's own kernel did not take. */
  readonly refused: number;
  readonly received: number;
  readonly lost: number;
  readonly duplicates: number;
  readonly corrupted: number;
  /** Packets that came after one with a higher number. */
  readonly reordered: number;
  readonly longestGapMs: number;
  /** When the longest gap began, seconds after the first packet came. */
  readonly gapAfterSeconds: number;
  readonly delayUs: { readonly p50: number; readonly p99: number; readonly max: number };
  /** Mean change of the delay from one packet to the next (the D of RFC 3550, 6.4.1). */
  readonly jitterUs: number;
  /** The first numbers that never came. */
  readonly missing: readonly number[];
  /** Each run of numbers that did not come before a higher one, in order. */
  readonly holes: readonly Hole[];
  /** Of IP at the receiver. */
  readonly bitsPerSecond: number;
}

export interface Hole {
  /** When packets came again, milliseconds on the clock of `process.hrtime` (CLOCK_MONOTONIC). */
  readonly endedMs: number;
  readonly gapMs: number;
  readonly lost: number;
}

/** How long after its last packet an end may take for its account, on a machine that is busy with other things. */
const accountMs = 30_000;
const account = /^\{/;

/** A UDP flow of numbered packets under way. */
export class Flow {
  readonly #sender: Running;
  readonly #receiver: Running;
  readonly #octets: number;
  /** When the last packet leaves at the latest, on the clock of `performance.now`. */
  #overMs: number;

  private constructor(sender: Running, receiver: Running, options: { octets: number; seconds: number }) {
    this.#sender = sender;
    this.#receiver = receiver;
    this.#octets = options.octets;
    this.#overMs = performance.now() + options.seconds * 1000;
  }

  static async start(from: Host, to: Host, options: FlowOptions): Promise<Flow> {
    const program = await build('udpflow');
    const { target, port = 5000, octets = 1400, rateMbit, seconds } = options;
    const perSecond = (rateMbit * 1e6) / 8 / octets;
    const receiver = to.start(`udpflow-${port}`, [program, 'receive', `${port}`]);
    await receiver.line(/^ready$/);
    const numbers = [target, port, octets, perSecond, Math.round(perSecond * seconds)].map(String);
    const last = options.dontFragment ? ['df'] : [];
    const sender = from.start(`udpflow-${port}`, [program, 'send', ...numbers, ...last]);
    return new Flow(sender, receiver, { octets, seconds });
  }

  /** Waits for the last packet and what is still under way, and compares. */
  async finish(settleMs = 400): Promise<FlowResult> {
    const remainingMs = Math.max(0, Math.ceil(this.#overMs - performance.now()));
    const sent = JSON.parse(await this.#sender.line(account, remainingMs + accountMs)) as {
      sent: number;
      refused: number;
    };
    await sleep(settleMs);
    this.#receiver.child.stdin?.end();
    const got = JSON.parse(await this.#receiver.line(account, accountMs)) as Omit<
      FlowResult,
      'sent' | 'lost' | 'bitsPerSecond'
    > & { seconds: number };
    const { seconds, ...result } = got;
    const bitsPerSecond = (result.received * this.#octets * 8) / seconds;
    return { ...sent, ...result, lost: sent.sent - result.received, bitsPerSecond };
  }

  /** Ends it before its time; `finish` then tells what came. */
  end(): void {
    this.#overMs = performance.now();
    this.#sender.child.kill('SIGTERM');
  }
}

/** Starts a flow and waits for its end. */
export async function runFlow(from: Host, to: Host, options: FlowOptions): Promise<FlowResult> {
  const flow = await Flow.start(from, to, options);
  return flow.finish(options.settleMs);
}
