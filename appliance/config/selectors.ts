/** Traffic selectors as text: a network, and in brackets what of it: `10.1.0.0/16`, `10.1.0.0/16[tcp/443]`, `::/0[udp/1000-2000]`, `0.0.0.0/0[1]`. */
import { parsePrefix, selectorOf } from '../lib/ip.ts';
import type { Selector } from '../lib/net.ts';
import { parsed } from './fields.ts';

const protocols: Readonly<Record<string, number>> = { icmp: 1, tcp: 6, udp: 17, gre: 47, icmp6: 58, sctp: 132 };
const form = /^([^[\]]+)(?:\[([a-z0-9]+)(?:\/(\d+)(?:-(\d+))?)?\])?$/;
const sentence =
  "expected a network, protocol and ports, such as '10.1.0.0/16', '10.1.0.0/16[tcp/443]' or '::/0[udp/1000-2000]'";

/** @throws {TypeError} with a sentence */
export function parseSelector(text: string): Selector {
  const [, network, protocol, from, to] = form.exec(text) ?? [];
  if (network === undefined) throw new TypeError(sentence);
  const all = selectorOf(parsePrefix(network));
  if (protocol === undefined) return all;
  const number = /^\d+$/.test(protocol) ? Number(protocol) : protocols[protocol];
  if (number === undefined || number > 255) throw new TypeError(`'${protocol}' is no protocol that is known here`);
  if (from === undefined) return { ...all, protocol: number };
  const [startPort, endPort] = [Number(from), Number(to ?? from)];
  if (endPort > 65_535 || startPort > endPort) throw new TypeError(`${from}-${to ?? from} is no range of ports`);
  return { ...all, protocol: number, startPort, endPort };
}

export const selector = parsed(parseSelector);
