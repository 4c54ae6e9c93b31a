import { concat } from '../../lib/bytes.ts';
import type { EspCipher } from '../../lib/esp-sa.ts';
import { Secret } from '../../lib/secret.ts';
import type { AdditionalKeyExchange, IkeCipher, KeyExchange, Prf } from '../api.ts';
import { keyMaterialLength } from './aead.ts';
import { prfLength, prfOf, prfPlus } from './prf.ts';

/** The algorithms of an IKE SA. */
export interface IkeSuite {
  readonly cipher: IkeCipher;
  readonly prf: Prf;
  readonly keyExchange: KeyExchange;
  readonly additionalKeyExchange: AdditionalKeyExchange | null;
}

/** RFC 7296 2.14; an AEAD has no SK_ai and SK_ar. */
export interface IkeKeys {
  readonly d: Secret;
  readonly ei: Secret;
  readonly er: Secret;
  readonly pi: Secret;
  readonly pr: Secret;
}

export interface KeyInput {
  readonly suite: IkeSuite;
  readonly nonces: { readonly initiator: Uint8Array; readonly responder: Uint8Array };
  readonly spis: { readonly initiator: Uint8Array; readonly responder: Uint8Array };
  readonly shared: Secret;
  /** Of the additional key exchanges in the same exchange (RFC 9370 2.2.4). Wiped. */
  readonly additional: readonly Secret[];
}

/** RFC 7296 2.14: SKEYSEED = prf(Ni | Nr, g^ir). Wipes `shared`. */
export function ikeKeys(input: KeyInput): IkeKeys {
  const { initiator, responder } = input.nonces;
  const seed = prfOf(input.suite.prf, concat(initiator, responder), input.shared.reveal()); // the nonces are no secret
  input.shared.wipe();
  return expand(input, seed);
}

/** RFC 7296 2.18: SKEYSEED = prf(SK_d (old), g^ir (new) | Ni | Nr | additional secrets (RFC 9370 2.2.4)), with the prf of the old SA. Wipes `shared`. */
export function rekeyedIkeKeys(input: KeyInput, old: { readonly prf: Prf; readonly d: Secret }): IkeKeys {
  const { initiator, responder } = input.nonces;
  const more = input.additional.map((secret) => secret.reveal());
  const seed = prfOf(old.prf, old.d.reveal(), input.shared.reveal(), initiator, responder, ...more);
  for (const secret of [input.shared, ...input.additional]) secret.wipe();
  return expand(input, seed);
}

/** RFC 5723 5.1: SKEYSEED = prf(SK_d (old), "Resumption" | Ni | Nr). */
export function resumedIkeKeys(suite: IkeSuite, d: Secret, of: Pick<KeyInput, 'nonces' | 'spis'>): IkeKeys {
  const { initiator, responder } = of.nonces;
  return expand({ suite, ...of }, prfOf(suite.prf, d.reveal(), resumption, initiator, responder));
}
const resumption = new Uint8Array(Buffer.from('Resumption', 'ascii'));

function expand(input: Pick<KeyInput, 'suite' | 'nonces' | 'spis'>, seed: Uint8Array): IkeKeys {
  const { suite, nonces, spis } = input;
  const prfKey = prfLength(suite.prf);
  const cipherKey = keyMaterialLength(suite.cipher);
  const stream = prfPlus(suite.prf, seed, {
    seed: [nonces.initiator, nonces.responder, spis.initiator, spis.responder],
    length: 3 * prfKey + 2 * cipherKey,
  });
  // The keys stay where they are, and each wipes its part of the stream.
  let at = 0;
  const take = (length: number) => {
    at += length;
    return new Secret(stream.subarray(at - length, at));
  };
  const d = take(prfKey);
  const ei = take(cipherKey);
  const er = take(cipherKey);
  const keys = { d, ei, er, pi: take(prfKey), pr: take(prfKey) };
  seed.fill(0);
  return keys;
}

/**
 * RFC 8784 3: SK_d, SK_pi and SK_pr pass through prf+ with the PPK as key. The other keys are the same objects: what was
 * recorded of the IKE SA itself is not protected, everything that comes of SK_d is.
 */
export function withPpk(prf: Prf, ppk: Secret, keys: IkeKeys): IkeKeys {
  const mix = (key: Secret) => new Secret(prfPlus(prf, ppk.reveal(), { seed: [key.reveal()], length: prfLength(prf) }));
  return { ...keys, d: mix(keys.d), pi: mix(keys.pi), pr: mix(keys.pr) };
}

/** Wipes what `withPpk` has replaced. */
export function wipeMixed({ d, pi, pr }: IkeKeys): void {
  for (const secret of [d, pi, pr]) secret.wipe();
}

export function wipeKeys(keys: IkeKeys): void {
  for (const secret of Object.values(keys) as Secret[]) secret.wipe();
}

export interface ChildKeys {
  /** From the initiator of the exchange that made the child SA to its responder, and back. */
  readonly initiator: Secret;
  readonly responder: Secret;
}

export interface ChildKeyInput {
  readonly prf: Prf;
  readonly d: Secret;
  readonly cipher: EspCipher;
  readonly nonces: { readonly initiator: Uint8Array; readonly responder: Uint8Array };
  /** Null without forward secrecy. Wiped. */
  readonly shared: Secret | null;
  /** As in `KeyInput`. */
  readonly additional: readonly Secret[];
}

/** RFC 7296 2.17: KEYMAT = prf+(SK_d, [g^ir (new) |] Ni | Nr). */
export function childKeys(input: ChildKeyInput): ChildKeys {
  const length = keyMaterialLength(input.cipher);
  const shared = input.shared?.reveal() ?? new Uint8Array();
  const more = input.additional.map((secret) => secret.reveal());
  const seed = [shared, input.nonces.initiator, input.nonces.responder, ...more];
  const keymat = prfPlus(input.prf, input.d.reveal(), { seed, length: 2 * length });
  for (const secret of input.additional) secret.wipe();
  input.shared?.wipe();
  return { initiator: new Secret(keymat.subarray(0, length)), responder: new Secret(keymat.subarray(length)) };
}
