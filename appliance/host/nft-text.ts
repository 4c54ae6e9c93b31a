/** Small words of the nftables language. */
import { familyOf, formatPrefix, ipToNumber, lastAddress, type Prefix } from '../lib/ip.ts';

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

/** Each network once, in order; one inside another is left out, because a set of intervals holds no overlaps. */
export function prefixesByFamily(prefixes: readonly Prefix[], family: 4 | 6): string[] {
  const ranges = prefixes
    .filter(({ address }) => familyOf(address) === family)
    .map((prefix) => ({ prefix, first: ipToNumber(prefix.address), last: ipToNumber(lastAddress(prefix)) }))
    .sort((a, b) => (a.first === b.first ? a.prefix.length - b.prefix.length : a.first < b.first ? -1 : 1));
  const kept: string[] = [];
  let covered = -1n;
  for (const { prefix, first, last } of ranges) {
    if (first <= covered) continue;
    kept.push(formatPrefix(prefix));
    covered = last;
  }
  return kept;
}

/** A named set of networks, said once however many rules ask for it; nothing when it would be empty. */
export function networkSet(name: string, prefixes: readonly Prefix[], family: 4 | 6): string[] {
  const elements = prefixesByFamily(prefixes, family);
  if (elements.length === 0) return [];
  const lines = [`type ipv${family}_addr; flags interval;`, `elements = ${inSet(elements)}`];
  return block(`set ${name}_${family}`, lines);
}

/** `ip saddr @name_4` and `ip6 saddr @name_6`, of the sets that are there. */
export function setMatches(word: 'saddr' | 'daddr', name: string, prefixes: readonly Prefix[]): string[] {
  return ([4, 6] as const).flatMap((family) => {
    const present = prefixes.some(({ address }) => familyOf(address) === family);
    return present ? [`${family === 4 ? 'ip' : 'ip6'} ${word} @${name}_${family}`] : [];
  });
}

/** `ip saddr { ... }` and `ip6 saddr { ... }`, each where there are any. */
export function addressMatches(word: 'saddr' | 'daddr', prefixes: readonly Prefix[]): string[] {
  return ([4, 6] as const).flatMap((family) => {
    const own = prefixesByFamily(prefixes, family);
    return own.length === 0 ? [] : [`${family === 4 ? 'ip' : 'ip6'} ${word} ${inSet(own)}`];
  });
}
