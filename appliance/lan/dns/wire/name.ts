import { DecodeError } from '../../../lib/bytes.ts';

/**
 * A domain name in wire form without compression, as a binary string (one character an octet): `\x03www\x04moat\x00`.
 * Labels may hold any octet, dots included. Keys of maps are lower-case (`lower`); RDATA keeps the case it came with.
 */
export type Name = string;

export const root: Name = '\0';

/** RFC 1035 3.1: 255 octets with the root label. */
export const nameOctets = 255;

/** ASCII letters only (RFC 4343): octets above 127 are not letters of DNS. */
export function lower(name: Name): Name {
  return /[A-Z]/.test(name) ? name.replace(/[A-Z]+/g, (letters) => letters.toLowerCase()) : name;
}

/**
 * The name of presentation text (RFC 1035 5.1 with `\.` and `\DDD`), lower-cased; a last dot is optional.
 * @throws {DecodeError} on an empty label, one over 63 octets, a name over 255 octets, or a bad escape.
 */
export function nameFromText(text: string): Name {
  if (text === '.' || text === '') return root;
  const labels = splitLabels(text);
  if (labels.at(-1) === '') labels.pop();
  const wire = `${labels.map((label) => prefixed(label, text)).join('')}\0`;
  if (wire.length > nameOctets) throw new DecodeError(`'${text}' is longer than ${nameOctets} octets`);
  return lower(wire);
}

function prefixed(label: string, text: string): string {
  if (label.length < 1 || label.length > 63) throw new DecodeError(`'${text}' has a label of ${label.length} octets`);
  return String.fromCharCode(label.length) + label;
}

function splitLabels(text: string): string[] {
  const labels = [''];
  const put = (octet: string) => labels.push(`${labels.pop() ?? ''}${octet}`);
  for (let i = 0; i < text.length; i += 1) {
    const character = text.charAt(i);
    if (character === '.') labels.push('');
    else if (character === '\\') {
      const digits = /^\d{3}/.exec(text.slice(i + 1))?.[0];
      put(digits === undefined ? text.charAt(i + 1) : octetOf(Number(digits), text));
      i += digits === undefined ? 1 : 3;
    } else put(octetOf(character.charCodeAt(0), text));
  }
  return labels;
}

function octetOf(code: number, text: string): string {
  if (code > 255) throw new DecodeError(`'${text}' has a character that is no octet`);
  return String.fromCharCode(code);
}

/** Presentation text with a last dot; octets that are not plain are escaped, so that it can go to a log. */
export function nameToText(name: Name): string {
  if (name === root) return '.';
  return labelsOf(name)
    .map((label) => `${label.replace(/[^a-zA-Z0-9_*/-]/g, escaped)}.`)
    .join('');
}

function escaped(octet: string): string {
  return `\\${octet.charCodeAt(0).toString().padStart(3, '0')}`;
}

/** Labels without their lengths, the leftmost first; none for the root. */
export function labelsOf(name: Name): string[] {
  const labels: string[] = [];
  for (let at = 0; name.charCodeAt(at) > 0; at += 1 + name.charCodeAt(at)) {
    labels.push(name.slice(at + 1, at + 1 + name.charCodeAt(at)));
  }
  return labels;
}

/** The name without its leftmost label; the root's parent is the root. */
export function parentOf(name: Name): Name {
  return name === root ? root : name.slice(1 + name.charCodeAt(0));
}

/** Whether `name` is `ancestor` or below it, label by label; both lower-case. */
export function isWithin(name: Name, ancestor: Name): boolean {
  if (!name.endsWith(ancestor)) return false;
  const boundary = name.length - ancestor.length;
  let at = 0;
  while (at < boundary) at += 1 + name.charCodeAt(at);
  return at === boundary;
}

/** `name` and its ancestors up to the root, longest first. */
export function* selfAndAncestors(name: Name): Generator<Name> {
  for (let at = 0; at < name.length; at += 1 + name.charCodeAt(at)) {
    yield name.slice(at);
    if (name.charCodeAt(at) === 0) return;
  }
}

/** `label` in front of `name`. */
export function child(label: string, name: Name): Name {
  return String.fromCharCode(label.length) + label + name;
}

/** The name under which PTR records of an address live (RFC 1035 3.5, RFC 3596 2.5). `octets`: 4 or 16. */
export function reverseName(octets: Uint8Array): Name {
  const digits =
    octets.length === 4
      ? [...octets].map(String)
      : [...octets].flatMap((o) => [(o >> 4).toString(16), (o & 15).toString(16)]);
  return nameFromText(`${digits.reverse().join('.')}.${octets.length === 4 ? 'in-addr' : 'ip6'}.arpa`);
}
