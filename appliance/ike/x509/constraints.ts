import type { Certificate, Constraints, GeneralName } from './certificate.ts';
import { mailAddresses, relativeNameKeys } from './name.ts';

/* Name constraints, RFC 5280 4.2.1.10: which names an authority may give. */

/** The names that a certificate claims: its subject, and the alternative ones. An e-mail address may stand in the subject, too. */
export function namesOf({ subject, extensions }: Certificate): GeneralName[] {
  const named = relativeNameKeys(subject).length > 0;
  const mails = extensions.names.some(({ kind }) => kind === 'email') ? [] : mailAddresses(subject);
  return [
    ...(named ? [{ kind: 'directory', value: subject } as const] : []),
    ...mails.map((value) => ({ kind: 'email', value }) as const),
    ...extensions.names,
  ];
}

/** The name that may not be there, for the report; null when all may. */
export function forbidden(names: readonly GeneralName[], { permitted, excluded }: Constraints): GeneralName | null {
  for (const name of names) {
    if (name.kind === 'other' && [...permitted, ...excluded].some((base) => isSameForm(name, base))) return name;
    if (excluded.some((base) => base.kind === name.kind && isBelow(name, base))) return name;
    const ofKind = permitted.filter((base) => base.kind === name.kind && name.kind !== 'other');
    if (ofKind.length > 0 && !ofKind.some((base) => isBelow(name, base))) return name;
  }
  return null;
}

function isBelow(name: GeneralName, base: GeneralName): boolean {
  if (name.kind === 'dns' && base.kind === 'dns') return isHostBelow(name.value, base.value);
  if (name.kind === 'email' && base.kind === 'email') return isMailBelow(name.value, base.value);
  if (name.kind === 'uri' && base.kind === 'uri') return isUriBelow(name.value, base.value);
  if (name.kind === 'ip' && base.kind === 'ip') return isInNetwork(name.value, base.value);
  if (name.kind === 'directory' && base.kind === 'directory') return isNameBelow(name.value, base.value);
  return false;
}

/** Of a form that nobody here can compare: where there is a constraint on it, such a name may not be there. */
function isSameForm(name: GeneralName, base: GeneralName): boolean {
  return name.kind === 'other' && base.kind === 'other' && name.tag === base.tag;
}

function isHostBelow(host: string, base: string): boolean {
  const [inner, outer] = [host.toLowerCase(), base.toLowerCase().replace(/^\./, '')];
  return outer === '' || inner === outer || inner.endsWith(`.${outer}`);
}

/** An address, all of a host, or (with a dot in front) all hosts of a domain. */
function isMailBelow(mail: string, base: string): boolean {
  const at = mail.lastIndexOf('@');
  const host = mail.slice(at + 1).toLowerCase();
  if (base.includes('@')) {
    const cut = base.lastIndexOf('@');
    return mail.slice(0, at) === base.slice(0, cut) && host === base.slice(cut + 1).toLowerCase();
  }
  return base.startsWith('.') ? host.endsWith(base.toLowerCase()) : host === base.toLowerCase();
}

/** The host alone counts; with a dot in front of the base, all below it. */
function isUriBelow(uri: string, base: string): boolean {
  const host = /^[a-z][a-z0-9+.-]*:\/\/(?:[^@/?#]*@)?([^:/?#]+)/i.exec(uri)?.[1]?.toLowerCase();
  if (host === undefined) return false;
  return base.startsWith('.') ? host.endsWith(base.toLowerCase()) : host === base.toLowerCase();
}

/** `base`: address and mask. */
function isInNetwork(address: Uint8Array, base: Uint8Array): boolean {
  const { length } = address;
  if (base.length !== 2 * length) return false;
  return address.every((octet, i) => (octet & (base[length + i] ?? 0)) === ((base[i] ?? 0) & (base[length + i] ?? 0)));
}

function isNameBelow(name: Uint8Array, base: Uint8Array): boolean {
  const [inner, outer] = [relativeNameKeys(name), relativeNameKeys(base)];
  return outer.every((key, i) => key === inner[i]);
}
