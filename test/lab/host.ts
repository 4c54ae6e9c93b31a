import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Capture } from './capture.ts';
import { content, contentHash } from './content.ts';
import { type PingResult, parsePing } from './measures.ts';
import { type Finished, must, type RunOptions, run } from './processes.ts';
import { type Home, Running } from './running.ts';

export interface PingOptions {
  readonly count?: number;
  /** Milliseconds between requests. */
  readonly interval?: number;
  /** Octets of the whole IP packet; with `fragment: false` DF is set. */
  readonly size?: number;
  readonly fragment?: boolean;
  /** Milliseconds to wait for the last answer. */
  readonly wait?: number;
  readonly ttl?: number;
}

export interface FetchResult {
  readonly octets: number;
  readonly seconds: number;
  readonly bitsPerSecond: number;
}

const maxPingTries = 4;

/**
 * Once anything was answered, ping waits for the rest no longer than two round trips, which a busy machine exceeds. So
 * nothing is known when only the last answers are missing.
 */
function leftEarly({ sent, order }: PingResult): boolean {
  return order.length > 0 && order.length < sent && Math.max(...order) === new Set(order).size;
}

/** A network namespace with what can be done in it. */
export class Host {
  readonly name: string;
  readonly namespace: string;
  readonly home: Home;

  constructor(name: string, namespace: string, home: Home) {
    this.name = name;
    this.namespace = namespace;
    this.home = home;
  }

  /** The command line that runs `command` here, with this host's hosts and resolv.conf. */
  inside(command: readonly string[]): string[] {
    return ['ip', 'netns', 'exec', this.namespace, ...command];
  }

  run(command: readonly string[], options?: RunOptions): Promise<Finished> {
    return run(this.inside(command), options);
  }

  /** @throws {Error} unless the command exits with 0. */
  must(command: readonly string[], options?: RunOptions): Promise<string> {
    return must(this.inside(command), options);
  }

  /** Runs lines of `ip -batch`. */
  async ip(...lines: string[]): Promise<void> {
    await must(['ip', '-n', this.namespace, '-batch', '-'], { input: `${lines.join('\n')}\n` });
  }

  async nft(ruleset: string): Promise<void> {
    await this.must(['nft', '-f', '-'], { input: ruleset });
  }

  /** Starts a process that dies with this one, whatever kills it. */
  start(name: string, command: readonly string[], options: { env?: NodeJS.ProcessEnv } = {}): Running {
    const log = join(this.home.runDirectory, `${this.name}.${name}.log`);
    const [file = '', ...rest] = ['setpriv', '--pdeathsig', 'KILL', ...this.inside(command)];
    const child = spawn(file, rest, { detached: true, stdio: 'pipe', env: { ...process.env, ...options.env } });
    const to = createWriteStream(log, { flags: 'a' });
    child.on('error', (error) => to.write(`${error.message}\n`));
    child.stdin.on('error', () => undefined);
    child.stdout.on('data', (chunk: Buffer) => to.write(chunk));
    child.stderr.on('data', (chunk: Buffer) => to.write(chunk));
    child.on('close', () => to.end());
    return new Running(child, this.home, log);
  }

  async ping(target: string, options: PingOptions = {}): Promise<PingResult> {
    const { count = 3, interval = 10, wait = 1000, fragment = true, ttl } = options;
    const headers = target.includes(':') ? 48 : 28;
    const size = options.size === undefined ? 56 : options.size - headers;
    const command = ['ping', '-n', '-c', count, '-i', interval / 1000, '-W', wait / 1000, '-s', size];
    // Without either, the first packet carries DF and only later ones do not.
    if (!fragment) command.push('-M', 'do');
    else if (!target.includes(':')) command.push('-M', 'dont');
    if (ttl !== undefined) command.push('-t', ttl);
    const once = async () => {
      const { stdout, stderr } = await this.run([...command.map(String), target], { timeout: 120_000 });
      return parsePing(`${stdout}\n${stderr}`);
    };
    let result = await once();
    for (let tries = 1; tries < maxPingTries && leftEarly(result); tries += 1) result = await once();
    return result;
  }

  /** GETs `octets` of the corp server's content and compares them. @throws {Error} when they differ or do not come. */
  async fetch(target: string, options: { octets: number; marker?: string; seconds?: number }): Promise<FetchResult> {
    const { octets, marker = '', seconds = 60 } = options;
    const seed = `${this.name}-${octets}`;
    const file = join(this.home.temporary, `fetch-${Math.random().toString(36).slice(2)}`);
    const host = target.includes(':') ? `[${target}]` : target;
    const url = `http://${host}/bytes/${octets}?seed=${seed}&marker=${marker}`;
    try {
      const report = JSON.parse(await this.#curl(['-o', file, url], seconds)) as { size: number; seconds: number };
      if (report.size !== octets) throw new Error(`expected ${octets} octets, got ${report.size}`);
      const found = await hashOf(file);
      const expected = contentHash(seed, octets, marker);
      if (found !== expected) throw new Error(`octets differ: expected SHA-256 ${expected}, got ${found}`);
      return { octets, seconds: report.seconds, bitsPerSecond: (octets * 8) / report.seconds };
    } finally {
      await rm(file, { force: true });
    }
  }

  /** The text behind a URL. */
  page(url: string, seconds = 10): Promise<string> {
    return this.must(['curl', '-sS', '-g', '--max-time', `${seconds}`, url]);
  }

  /** PUTs `octets` to the corp server. @throws {Error} unless it received just these. */
  async upload(target: string, options: { octets: number; seconds?: number }): Promise<FetchResult> {
    const { octets, seconds = 60 } = options;
    const host = target.includes(':') ? `[${target}]` : target;
    const file = join(this.home.temporary, `upload-${Math.random().toString(36).slice(2)}`);
    try {
      await writeFile(file, content(this.name, octets));
      const answer = await this.#curl(['-T', file, '-o', `${file}.answer`, `http://${host}/count`], seconds);
      const report = JSON.parse(answer) as { seconds: number };
      const got = JSON.parse(await readFile(`${file}.answer`, 'utf8')) as { octets: number; sha256: string };
      const expected = contentHash(this.name, octets);
      if (got.sha256 !== expected) throw new Error(`octets differ: ${got.octets} of ${octets} came`);
      return { octets, seconds: report.seconds, bitsPerSecond: (octets * 8) / report.seconds };
    } finally {
      await rm(file, { force: true });
      await rm(`${file}.answer`, { force: true });
    }
  }

  /** Records what passes an interface until it is stopped. `filter` as tcpdump has it; `snapOctets` of each, 0: all. */
  async capture(device: string, filter = '', snapOctets = 0): Promise<Capture> {
    const file = join(this.home.runDirectory, `${this.name}.${device}.pcap`);
    const how = ['-U', '-n', '-B', '65536', '--immediate-mode', '-s', `${snapOctets}`];
    const command = ['tcpdump', ...how, '-i', device, '-w', file, ...filter.split(' ').filter(Boolean)];
    const process = this.start(`tcpdump-${device}`, command);
    await process.complaint(/listening on/);
    return new Capture(file, process);
  }

  async #curl(parameters: readonly string[], seconds: number): Promise<string> {
    const report = '{"size":%{size_download},"seconds":%{time_total}}';
    return this.must(['curl', '-sS', '-g', '--fail', '--max-time', `${seconds}`, '-w', report, ...parameters], {
      timeout: seconds * 1000 + 5000,
    });
  }
}

async function hashOf(file: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(file, { highWaterMark: 1 << 20 })) hash.update(chunk as Buffer);
  return hash.digest('hex');
}
