import { Host } from './host.ts';
import { must } from './processes.ts';
import { build } from './programs.ts';
import type { Running } from './running.ts';

/** What is wrong with one direction of the internet. What is not named is fine. */
export interface Impairment {
  readonly delayMs?: number;
  /** Uniform around the delay; keeps the order of packets. */
  readonly jitterMs?: number;
  readonly lossPercent?: number;
  /** Mean number of packets lost in a row; 1 when each is lost on its own. */
  readonly lossBurst?: number;
  readonly reorderPercent?: number;
  /** Reordered packets come so much later, or */
  readonly reorderMs?: number;
  /** so many later packets go first. */
  readonly reorderPackets?: number;
  readonly duplicatePercent?: number;
  /** One bit behind the IP header is flipped. */
  readonly corruptPercent?: number;
  readonly rateMbit?: number;
  /** What would wait longer for its turn at the rate is dropped; 50 ms when not given. */
  readonly queueMs?: number;
  /** Largest IP packet that passes, octets. Larger ones are fragmented (IPv4 without DF) or answered "too big". */
  readonly mtu?: number;
  /** No ICMP of any kind passes or comes from the internet's routers. */
  readonly icmp?: 'eaten';
  /** No IP fragment passes, and none is made on the way. */
  readonly fragments?: 'eaten';
  /** `udp`, `tcp`, `esp`, `icmp` or a number, and a port with `udp:4500`, either side's. */
  readonly block?: readonly string[];
  readonly seed?: number;
}

export type DirectionCounts = Readonly<Record<string, number>>;
/** `up` is from home to the portal. */
export interface Counts {
  readonly up: DirectionCounts;
  readonly down: DirectionCounts;
}

const tableNumber = { up: 101, down: 102 } as const;
const steering = { up: { from: 'home', tun: 'to-portal' }, down: { from: 'portal', tun: 'to-home' } } as const;
type Direction = keyof typeof steering;
const directions: readonly Direction[] = ['up', 'down'];

const protocols: Readonly<Record<string, number>> = { icmp: 1, tcp: 6, udp: 17, esp: 50, icmpv6: 58 };
/** The host in the middle: routes plainly, or as badly as it is told. */
export class Internet extends Host {
  #process: Running | undefined;
  #steered = false;

  /** Sets the whole state of both directions, or of each its own; what was set before is gone. */
  async impair(wanted: Impairment | { readonly up?: Impairment; readonly down?: Impairment }): Promise<void> {
    const both = 'up' in wanted || 'down' in wanted ? wanted : { up: wanted, down: wanted };
    await this.#begin();
    for (const direction of directions)
      await this.#set(direction, (both as Record<Direction, Impairment>)[direction] ?? {});
    await this.#eat(directions.filter((direction) => (both as Record<Direction, Impairment>)[direction]?.icmp));
    await this.#steer(true);
  }

  /** Forwards plainly and at full speed again. */
  async clear(): Promise<void> {
    if (!this.#process) return;
    await this.#steer(false);
    await this.#eat([]);
    for (const direction of directions) await this.#set(direction, {});
  }

  async counts(): Promise<Counts> {
    await this.#begin();
    return (await this.#ask({ read: 'counters' })) as unknown as Counts;
  }

  async #begin(): Promise<void> {
    if (this.#process) return;
    const program = await build('impair');
    const { tun: up } = steering.up;
    const { tun: down } = steering.down;
    const process = this.start('impair', [program, up, down]);
    await process.line(/ready/);
    this.#process = process;
    await this.ip(
      ...directions.flatMap((direction) => {
        const { tun } = steering[direction];
        const into = `dev ${tun} table ${tableNumber[direction]}`;
        const routes = [`route add 0.0.0.0/0 ${into}`, `route add ::/0 ${into}`];
        return [`link set ${tun} mtu 65535 txqueuelen 4000 addrgenmode none up`, ...routes];
      }),
    );
  }

  /** Policy routing: what comes in from a side and is not for this host goes through the program first. */
  async #steer(on: boolean): Promise<void> {
    if (this.#steered === on) return;
    this.#steered = on;
    const verb = on ? 'add' : 'del';
    for (const family of ['-4', '-6'] as const) {
      const lines = directions.map((direction) => {
        const { from } = steering[direction];
        return `rule ${verb} iif ${from} priority 100 lookup ${tableNumber[direction]}\n`;
      });
      await must(['ip', family, '-n', this.namespace, '-batch', '-'], { input: lines.join('') });
    }
  }

  /** This host's own ICMP (time exceeded, unreachable) into the directions that eat it; neighbours stay reachable. */
  async #eat(eaten: readonly Direction[]): Promise<void> {
    const into = { up: 'portal', down: 'home' } as const;
    const rules = eaten.flatMap((direction) => [
      `oifname ${into[direction]} meta l4proto icmp drop`,
      `oifname ${into[direction]} icmpv6 type { 1-4, 128, 129 } drop`,
    ]);
    const chain = `chain output { type filter hook output priority 0; ${rules.map((rule) => `${rule};`).join(' ')} }`;
    await this.nft(
      `table inet eaten {}\ndelete table inet eaten\n${rules.length > 0 ? `table inet eaten { ${chain}; }\n` : ''}`,
    );
  }

  async #set(direction: Direction, impairment: Impairment): Promise<void> {
    // The same sequence in both directions would lose the answer whenever it lost the question.
    const seed = impairment.seed === undefined ? undefined : impairment.seed * 2 + directions.indexOf(direction) + 1;
    await this.#ask({ set: direction, ...toWire(impairment), seed });
  }

  async #ask(request: object): Promise<Record<string, unknown>> {
    if (!this.#process || this.#process.hasExited) throw new Error('impair is not running');
    this.#process.child.stdin?.write(`${JSON.stringify(request)}\n`);
    const answer = JSON.parse(await this.#process.line(/^\{/)) as { error?: unknown };
    if (typeof answer.error === 'string') throw new Error(`impair: ${answer.error}`);
    return { ...answer };
  }
}

function toWire(impairment: Impairment): Record<string, unknown> {
  const { block, icmp } = impairment;
  const nanoseconds = (ms: number | undefined) => (ms === undefined ? undefined : Math.round(ms * 1e6));
  const share = (percent: number | undefined) => (percent === undefined ? undefined : percent / 100);
  return {
    delay: nanoseconds(impairment.delayMs),
    jitter: nanoseconds(impairment.jitterMs),
    loss: share(impairment.lossPercent),
    burst: impairment.lossBurst,
    reorder: share(impairment.reorderPercent),
    reorderDelay: nanoseconds(impairment.reorderMs),
    reorderPackets: impairment.reorderPackets,
    duplicate: share(impairment.duplicatePercent),
    corrupt: share(impairment.corruptPercent),
    rate: impairment.rateMbit === undefined ? undefined : impairment.rateMbit * 1e6,
    queue: nanoseconds(impairment.queueMs),
    mtu: impairment.mtu,
    eatIcmp: icmp === 'eaten',
    eatFragments: impairment.fragments === 'eaten',
    block: block?.map(blockOnWire),
  };
}

function blockOnWire(text: string): string {
  const [name = '', port] = text.split(':');
  const protocol = protocols[name] ?? Number(name);
  if (!Number.isInteger(protocol)) throw new TypeError(`'${text}': expected a protocol, or PROTOCOL:PORT`);
  return port === undefined ? `${protocol}` : `${protocol}:${port}`;
}
