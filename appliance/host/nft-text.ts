/** Small words of the nftables language. */
import { familyOf, formatPrefix, type Prefix, prefixContains } from '../lib/ip.ts';

/** `head { lines }`, indented. */
export function block(head: string, lines: readonly string[]): string[] {
  return [`${head} {`, ...lines.map((line) => `  ${line}`), '}'];
}

/** Names come from the configuration, whose schema allows no quotes in them. */
export function quoted(name: string): string {
  return `"${name}"`;
}

export function inSet(members: readonly string[]): string {
  return `{ ${members.join(', ')} }`;
}

/** Each network once; one inside another is left out, because a set of intervals holds no overlaps. */
export function prefixesByFamily(prefixes: readonly Prefix[], family: 4 | 6): string[] {
  const own = prefixes.filter(({ address }) => familyOf(address) === family);
  const texts = [...new Set(own.map(formatPrefix))];
  return texts.filter((text) => !own.some((other) => formatPrefix(other) !== text && contains(other, text)));
}

/** `ip saddr { ... }` and `ip6 saddr { ... }`, each where there are any. */
export function addressMatches(word: 'saddr' | 'daddr', prefixes: readonly Prefix[]): string[] {
  return ([4, 6] as const).flatMap((family) => {
    const own = prefixesByFamily(prefixes, family);
    return own.length === 0 ? [] : [`${family === 4 ? 'ip' : 'ip6'} ${word} ${inSet(own)}`];
  });
}

function contains(outer: Prefix, innerText: string): boolean {
  const [address = '', length = ''] = innerText.split('/');
  return outer.length < Number(length) && prefixContains(outer, address);
}
