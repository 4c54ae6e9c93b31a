/**
 * WebAuthn as this portal asks for it: user verification always, attestation never, credentials that are found without a name.
 * `@simplewebauthn/server` knows the standard; it is loaded when the first passkey is, because most portals rest without.
 */
import type { AuthenticationResponseJSON, RegistrationResponseJSON } from '@simplewebauthn/server';

/** Who asks: the page's name without its port, and the page's origin with it. */
export interface RelyingParty {
  readonly rpId: string;
  readonly origin: string;
}

export interface NewPasskey {
  /** base64url. */
  readonly id: string;
  /** In the COSE form, base64. */
  readonly publicKey: string;
  readonly signCount: number;
}

export interface Registrant {
  readonly portal: string;
  readonly user: { readonly id: string; readonly name: string };
  /** Ids of credentials that the user has, so that none is made twice. */
  readonly known: readonly string[];
}

/** EdDSA, ES256, RS256 (COSE numbers): what every authenticator and every Node without experiments knows. */
const supportedAlgorithmIDs = [-8, -7, -257];

const library = () => import('@simplewebauthn/server');

/** For `PublicKeyCredential.parseCreationOptionsFromJSON`. */
export async function creationOptions({ rpId }: RelyingParty, challenge: string, { portal, user, known }: Registrant) {
  const { generateRegistrationOptions } = await library();
  return generateRegistrationOptions({
    rpID: rpId,
    rpName: `moat ${portal}`,
    challenge,
    userID: new Uint8Array(Buffer.from(user.id)),
    userName: user.name,
    userDisplayName: user.name,
    attestationType: 'none',
    supportedAlgorithmIDs,
    excludeCredentials: known.map((id) => ({ id })),
    authenticatorSelection: { residentKey: 'required', userVerification: 'required' },
  });
}

/** For `PublicKeyCredential.parseRequestOptionsFromJSON`. */
export async function requestOptions({ rpId }: RelyingParty, challenge: string) {
  const { generateAuthenticationOptions } = await library();
  return generateAuthenticationOptions({ rpID: rpId, challenge, userVerification: 'required' });
}

/** `challenge`: as it was given out. @throws {Error} with what is wrong. */
export async function checkRegistration(
  { rpId, origin }: RelyingParty,
  challenge: string,
  response: RegistrationResponseJSON,
): Promise<NewPasskey> {
  const { verifyRegistrationResponse } = await library();
  const expected = { expectedChallenge: onTheWire(challenge), expectedOrigin: origin, expectedRPID: rpId };
  const given = { response, supportedAlgorithmIDs, ...expected };
  const { verified, registrationInfo } = await verifyRegistrationResponse(given);
  if (!verified) throw new Error('the attestation does not hold');
  const { id, publicKey, counter } = registrationInfo.credential;
  return { id, publicKey: Buffer.from(publicKey).toString('base64'), signCount: counter };
}

/** The counter to remember. @throws {Error} with what is wrong. */
export async function checkAssertion(
  { rpId, origin }: RelyingParty,
  challenge: string,
  { id, publicKey, signCount }: NewPasskey,
  response: AuthenticationResponseJSON,
): Promise<number> {
  const { verifyAuthenticationResponse } = await library();
  const credential = { id, publicKey: new Uint8Array(Buffer.from(publicKey, 'base64')), counter: signCount };
  const expected = { expectedChallenge: onTheWire(challenge), expectedOrigin: origin, expectedRPID: rpId };
  const { verified, authenticationInfo } = await verifyAuthenticationResponse({ response, credential, ...expected });
  if (!verified) throw new Error('the signature does not hold');
  return authenticationInfo.newCounter;
}

/** The challenge that an answer says it is for, as it was given out; empty when it says none. */
export function challengeOf(clientDataJson: string): string {
  try {
    const { challenge } = JSON.parse(Buffer.from(clientDataJson, 'base64url').toString('utf8')) as {
      challenge: string;
    };
    return Buffer.from(challenge, 'base64url').toString('utf8');
  } catch {
    return '';
  }
}

/** A challenge is a text here and octets there. */
function onTheWire(challenge: string): string {
  return Buffer.from(challenge).toString('base64url');
}
