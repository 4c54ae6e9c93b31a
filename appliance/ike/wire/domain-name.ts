const label = /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/i;
const longest = 253;

/**
 * Whether a peer's text is a domain name as resolvers take it; a last dot is optional. Label by label: one pattern for the whole name has more
 * ways to fail on forty octets than anybody has time.
 */
export function isDomainName(text: string): boolean {
  const labels = text.replace(/\.$/, '').split('.');
  return text.length <= longest && labels.every((each) => label.test(each));
}
