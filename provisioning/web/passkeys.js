/** Passkeys, from the page's side: what the browser makes, as the operator API takes it. */
import { api } from './api.js';

/** Browsers make none for a page that is called by an address, nor over a connection that they do not trust. */
export function canHavePasskeys() {
  return (
    typeof window.PublicKeyCredential?.parseRequestOptionsFromJSON === 'function' &&
    !/^[\d.]+$|^\[/.test(location.hostname)
  );
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
  const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(await api('POST', '/login/challenge', {}));
  const credential = await asked(() => navigator.credentials.get({ publicKey }));
  await api('POST', '/login/passkey', credential.toJSON()).catch((error) => {
    throw error.status === 401 ? new Error('This passkey opens nothing here.') : error;
  });
}

/** @param {string} name what its owner calls it */
export async function makePasskey(name) {
  const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(await api('POST', '/passkeys/challenge', {}));
  const credential = await asked(() => navigator.credentials.create({ publicKey }));
  await api('POST', '/passkeys', { name, credential: credential.toJSON() });
}
