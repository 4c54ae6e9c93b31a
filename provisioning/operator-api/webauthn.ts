/**
 * The relying party's half of WebAuthn (level 3), for all that is asked of it here: user verification always, no attestation. The
 * public key comes as the browser reads it out of the attested data (5.2.1.1, getPublicKey), so that no CBOR is parsed; that it is
 * the key of that very data is checked by its octets.
 */
import { createHash, createPublicKey, type KeyObject, timingSafeEqual, verify } from 'node:crypto';
import { z } from 'zod';

/** Who asks: the page's name without its port, and the page's origin with it. */
export interface RelyingParty {
  readonly rpId: string;
  readonly origin: string;
}

/** What the authenticator and the browser have made together, as octets. */
export interface Ceremony {
  readonly party: RelyingParty;
  /** As this portal gave it out; the browser saw its ASCII octets. */
  readonly challenge: string;
  /** Text of JSON, written by the browser. */
  readonly clientData: Uint8Array;
  readonly authenticatorData: Uint8Array;
}

export interface NewPasskey {
  /** base64url. */
  readonly credentialId: string;
  /** SubjectPublicKeyInfo, base64. */
  readonly publicKey: string;
  readonly signCount: number;
}

export type Checked<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly problem: string };

const no = (problem: string) => ({ ok: false, problem }) as const;

/** Section 7.1, steps that remain without attestation. `publicKey`: SubjectPublicKeyInfo as DER. */
export function checkRegistration(given: Ceremony & { readonly publicKey: Uint8Array }): Checked<NewPasskey> {
  const problem = clientDataProblem(given, 'webauthn.create');
  if (problem !== null) return no(problem);
  const facts = readAuthenticatorData(given);
  if (!facts.ok) return facts;
  const { attested, signCount } = facts.value;
  if (!attested) return no('the authenticator told no key');
  const key = usableKey(given.publicKey);
  if (!key) return no('expected a key of P-256, Ed25519 or RSA with 2048 bits or more');
  if (!numbersOf(key).every((number) => Buffer.from(attested.coseKey).includes(number))) {
    return no('the key is not the one that the authenticator told');
  }
  const publicKey = key.export({ type: 'spki', format: 'der' }).toString('base64');
  return { ok: true, value: { credentialId: attested.credentialId, publicKey, signCount } };
}

/** Section 7.2. `value`: the counter to remember. */
export function checkAssertion(
  given: Ceremony & { readonly signature: Uint8Array; readonly publicKey: string; readonly signCount: number },
): Checked<number> {
  const problem = clientDataProblem(given, 'webauthn.get');
  if (problem !== null) return no(problem);
  const facts = readAuthenticatorData(given);
  if (!facts.ok) return facts;
  const key = createPublicKey({ key: Buffer.from(given.publicKey, 'base64'), format: 'der', type: 'spki' });
  const signed = Buffer.concat([given.authenticatorData, sha256(given.clientData)]);
  const digest = key.asymmetricKeyType === 'ed25519' ? null : 'sha256';
  if (!verify(digest, signed, key, given.signature)) return no('the signature does not hold');
  const { signCount } = facts.value;
  // Many authenticators do not count and say 0 for ever; of one that counts, a step back is a copy.
  const counts = signCount > 0 || given.signCount > 0;
  if (counts && signCount <= given.signCount) return no('this passkey has been copied');
  return { ok: true, value: signCount };
}

const clientDataSchema = z.object({
  type: z.string(),
  challenge: z.string(),
  origin: z.string(),
  crossOrigin: z.boolean().optional(),
});

function clientDataProblem({ party, challenge, clientData }: Ceremony, type: string): string | null {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(clientData).toString('utf8'));
  } catch {
    return 'the client data is no JSON';
  }
  const read = clientDataSchema.safeParse(value);
  if (!read.success || read.data.type !== type) return `expected client data of the type ${type}`;
  if (read.data.challenge !== Buffer.from(challenge).toString('base64url'))
    return 'this was made for another challenge';
  if (read.data.origin !== party.origin || read.data.crossOrigin) return 'this was made on another page';
  return null;
}

interface AuthenticatorFacts {
  readonly signCount: number;
  readonly attested: { readonly credentialId: string; readonly coseKey: Uint8Array } | null;
}

const flags = { userPresent: 0x01, userVerified: 0x04, attested: 0x40 } as const;

/** Section 6.1: rpIdHash (32), flags (1), signCount (4), and, when it says so, aaguid (16), length (2), id, COSE key. */
function readAuthenticatorData({ party, authenticatorData }: Ceremony): Checked<AuthenticatorFacts> {
  const data = Buffer.from(authenticatorData);
  if (data.length < 37) return no('the authenticator data are cut off');
  if (!timingSafeEqual(data.subarray(0, 32), sha256(Buffer.from(party.rpId)))) return no('this is for another name');
  const flagged = data.readUInt8(32);
  const needed = flags.userPresent | flags.userVerified;
  if ((flagged & needed) !== needed) return no('the authenticator has not asked who is there');
  const signCount = data.readUInt32BE(33);
  if ((flagged & flags.attested) === 0) return { ok: true, value: { signCount, attested: null } };
  const length = data.length < 55 ? 0 : data.readUInt16BE(53);
  if (length === 0 || length > 1023 || data.length <= 55 + length) return no('the authenticator data are cut off');
  const credentialId = data.subarray(55, 55 + length).toString('base64url');
  return { ok: true, value: { signCount, attested: { credentialId, coseKey: data.subarray(55 + length) } } };
}

function usableKey(spki: Uint8Array): KeyObject | null {
  try {
    const key = createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' });
    const { asymmetricKeyType: type, asymmetricKeyDetails: details } = key;
    if (type === 'ed25519') return key;
    if (type === 'ec' && details?.namedCurve === 'prime256v1') return key;
    return type === 'rsa' && (details?.modulusLength ?? 0) >= 2048 ? key : null;
  } catch {
    return null;
  }
}

/** The numbers that make the key, as they stand in its COSE form too (RFC 9053 7.1, RFC 8230 4). */
function numbersOf(key: KeyObject): Buffer[] {
  const { x, y, n } = key.export({ format: 'jwk' });
  return [x, y, n].flatMap((number) => (number === undefined ? [] : [Buffer.from(number, 'base64url')]));
}

function sha256(octets: Uint8Array): Buffer {
  return createHash('sha256').update(octets).digest();
}
