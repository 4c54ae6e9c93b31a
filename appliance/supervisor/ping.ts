/** Debian's ping (iputils), and what it says: the one way to ask a host with a packet of a certain size that may not be fragmented. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { familyOf } from '../lib/ip.ts';

const run = promisify(execFile);
const longestMs = 10_000;

export interface PingAnswer {
  readonly sent: number;
  readonly received: number;
  /** Who said by ICMP that it did not arrive, and with what words. */
  readonly errors: readonly { readonly from: string; readonly said: string }[];
  /** The first line that says what is in the way, be it our own kernel's; null when none does. */
  readonly objection: string | null;
}

/** Words of ping for echoes that fill a packet of so many octets, which nobody may fragment. */
export function wholePacket(target: string, octets: number): string[] {
  const headers = familyOf(target) === 4 ? 28 : 48;
  return ['-M', 'do', '-s', `${octets - headers}`];
}

/** `words` as ping takes them. No answer is an answer. @throws {Error} with a sentence when there is no ping. */
export async function ping(target: string, ...words: readonly string[]): Promise<PingAnswer> {
  try {
    const { stdout } = await run('ping', ['-n', ...words, target], { timeout: longestMs });
    return pingAnswer(stdout, '');
  } catch (error) {
    const { code, stdout = '', stderr = '' } = error as { code?: unknown; stdout?: string; stderr?: string };
    if (code === 'ENOENT') throw new Error('this needs the program ping (Debian package iputils-ping)');
    return pingAnswer(stdout, stderr);
  }
}

export function pingAnswer(stdout: string, stderr: string): PingAnswer {
  const totals = /(\d+) packets transmitted, (\d+) received/.exec(stdout);
  const errors = [...stdout.matchAll(/^From ([0-9a-f.:]+?):? icmp_seq=\d+ (.*)$/gim)];
  const lines = `${stdout}\n${stderr}`.split('\n');
  return {
    sent: Number(totals?.[1] ?? 0),
    received: Number(totals?.[2] ?? 0),
    errors: errors.map(([, from = '', said = '']) => ({ from, said })),
    objection: lines.find((line) => /error|unreachable|too (big|long)|needed/i.test(line))?.trim() ?? null,
  };
}
