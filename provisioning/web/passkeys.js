/** Passkeys, from the page's side: what the browser makes, as the operator API takes it. */
import { api } from './api.js';

/** Browsers make none for a page that is called by an address, nor over a connection that they do not trust. */
export function canHavePasskeys() {
  return 'PublicKeyCredential' in window && !/^[\d.]+$|^\[/.test(location.hostname);
}

/** @param {string} text */
const ascii = (text) => new TextEncoder().encode(text);

/** @param {ArrayBuffer} octets */
function base64url(octets) {
  const text = btoa(String.fromCharCode(...new Uint8Array(octets)));
  return text.replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '');
}

/** @param {string} text */
function octetsOf(text) {
  const plain = atob(text.replace(/-/g, '+').replace(/_/g, '/'));
  return Uint8Array.from(plain, (letter) => letter.charCodeAt(0));
}

/** @param {() => Promise<Credential | null>} work */
async function asked(work) {
  try {
    const credential = await work();
    if (credential) return /** @type {PublicKeyCredential} */ (credential);
  } catch (error) {
    const { name, message } = /** @type {Error} */ (error);
    if (name === 'InvalidStateError') throw new Error('This device has a passkey for this portal already.');
    if (name === 'NotAllowedError') throw new Error('The browser gave no passkey: cancelled, or too late.');
    throw new Error(`The browser can use no passkey here: ${message}`);
  }
  throw new Error('The browser gave no passkey.');
}

export async function loginByPasskey() {
  const { challenge, rpId } = await api('POST', '/login/challenge', {});
  const credential = await asked(() =>
    navigator.credentials.get({ publicKey: { challenge: ascii(challenge), rpId, userVerification: 'required' } }),
  );
  const response = /** @type {AuthenticatorAssertionResponse} */ (credential.response);
  const given = {
    id: credential.id,
    challenge,
    clientData: base64url(response.clientDataJSON),
    authenticatorData: base64url(response.authenticatorData),
    signature: base64url(response.signature),
  };
  await api('POST', '/login/passkey', given).catch((error) => {
    throw error.status === 401 ? new Error('This passkey opens nothing here.') : error;
  });
}

/** COSE algorithms: EdDSA, ES256, RS256. */
const algorithms = [-8, -7, -257];

/** @param {string} name what its owner calls it */
export async function makePasskey(name) {
  const { challenge, rpId, portal, user, known } = await api('POST', '/passkeys/challenge', {});
  const credential = await asked(() =>
    navigator.credentials.create({
      publicKey: {
        challenge: ascii(challenge),
        rp: { id: rpId, name: `moat ${portal}` },
        user: { id: ascii(user.id), name: user.name, displayName: user.name },
        pubKeyCredParams: algorithms.map((alg) => ({ type: 'public-key', alg })),
        excludeCredentials: known.map((/** @type {string} */ id) => ({ type: 'public-key', id: octetsOf(id) })),
        authenticatorSelection: { residentKey: 'required', userVerification: 'required' },
      },
    }),
  );
  const response = /** @type {AuthenticatorAttestationResponse} */ (credential.response);
  const publicKey = response.getPublicKey();
  if (!publicKey) throw new Error('This authenticator makes keys of a kind that the portal does not know.');
  await api('POST', '/passkeys', {
    name,
    challenge,
    clientData: base64url(response.clientDataJSON),
    authenticatorData: base64url(response.getAuthenticatorData()),
    publicKey: base64url(publicKey),
  });
}
