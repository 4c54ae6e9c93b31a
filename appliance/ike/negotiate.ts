import type { EspCipher } from '../lib/esp-sa.ts';
import type { AdditionalKeyExchange, EspAlgorithms, IkeAlgorithms, IkeCipher, KeyExchange, Prf } from './api.ts';
import { keyExchangeId, keyExchangeOf } from './crypto/key-exchange.ts';
import type { IkeSuite } from './crypto/keys.ts';
import { furtherKeyExchanges, protocols, transformIds, transformTypes } from './numbers.ts';
import type { Proposal, Transform } from './wire/proposal.ts';

/** RFC 5282, RFC 7634. ChaCha20 has one key length and so no attribute. */
const cipherTransforms: Readonly<Record<IkeCipher, { readonly id: number; readonly keyLength: number | null }>> = {
  'aes-128-gcm-16': { id: transformIds.ENCR.ENCR_AES_GCM_16, keyLength: 128 },
  'aes-256-gcm-16': { id: transformIds.ENCR.ENCR_AES_GCM_16, keyLength: 256 },
  'chacha20-poly1305': { id: transformIds.ENCR.ENCR_CHACHA20_POLY1305, keyLength: null },
};
const prfIds: Readonly<Record<Prf, number>> = {
  'hmac-sha2-256': transformIds.PRF.PRF_HMAC_SHA2_256,
  'hmac-sha2-384': transformIds.PRF.PRF_HMAC_SHA2_384,
};
const noKeyExchange = transformIds.KE.NONE;
const noIntegrity = transformIds.INTEG.NONE;

export interface EspSuite {
  readonly cipher: EspCipher;
  readonly esn: boolean;
  /** Null without forward secrecy. */
  readonly keyExchange: KeyExchange | null;
  readonly additionalKeyExchange: AdditionalKeyExchange | null;
}

/** The number of ML-KEM-768 among the key exchange methods. */
export const additionalId = transformIds.KE.ML_KEM_768;

type Additional = AdditionalKeyExchange | 'none';

export function additionalOf(algorithms: {
  readonly additionalKeyExchanges?: readonly Additional[];
}): readonly Additional[] {
  const { additionalKeyExchanges = [] } = algorithms;
  return additionalKeyExchanges.length > 0 ? additionalKeyExchanges : ['none'];
}

/** The transform for it, none for `none`: whoever does not know its type must be able to take the proposal without. */
function additionalTransforms(method: Additional): Transform[] {
  return method === 'none' ? [] : [transform('ADDKE1', additionalId)];
}

/** What is chosen of a proposal: absent transforms mean NONE (RFC 9370 2.2.1). */
function pickAdditional(proposal: Proposal, allowed: readonly Additional[]): Additional | undefined {
  const said = proposal.transforms.filter((each) => each.type === transformTypes.ADDKE1);
  const offered = (method: Additional) =>
    method === 'none'
      ? said.length === 0 || offers(proposal, transform('ADDKE1', noKeyExchange))
      : offers(proposal, transform('ADDKE1', additionalId));
  return allowed.find(offered);
}

/** More than one additional key exchange can be had only by leaving it out. */
function furtherAreNone(proposal: Proposal): boolean {
  return furtherKeyExchanges.every((type) => {
    const said = proposal.transforms.filter((each) => each.type === type);
    return said.length === 0 || said.some((each) => each.id === noKeyExchange && !each.strange);
  });
}

/** What the responder picked: the suite, the number and SPI of the proposal, and the answer to send. */
export interface Chosen<Suite> {
  readonly suite: Suite;
  readonly peerSpi: Uint8Array;
  answer(spi: Uint8Array): Proposal[];
}

function transform(type: keyof typeof transformTypes, id: number, keyLength: number | null = null): Transform {
  return { type: transformTypes[type], id, keyLength, strange: false };
}

function cipherTransform(cipher: IkeCipher): Transform {
  return transform('ENCR', cipherTransforms[cipher].id, cipherTransforms[cipher].keyLength);
}

function sequenceNumbers(extended: boolean): Transform {
  return transform('ESN', extended ? transformIds.ESN.ESN : transformIds.ESN.NO_ESN);
}

function exchangeTransform(method: KeyExchange | 'none'): Transform {
  return transform('KE', method === 'none' ? noKeyExchange : keyExchangeId(method));
}

/** An AEAD fits every PRF and group, so one proposal for each way with additional key exchanges. `spi`: 0 or 8 octets. */
export function offerIke(algorithms: IkeAlgorithms, spi: Uint8Array): Proposal[] {
  const transforms = [
    ...algorithms.ciphers.map(cipherTransform),
    ...algorithms.prfs.map((prf) => transform('PRF', prfIds[prf])),
    ...algorithms.keyExchanges.map(exchangeTransform),
  ];
  return additionalOf(algorithms).map((method, i) => {
    const all = [...transforms, ...additionalTransforms(method)];
    return { number: i + 1, protocol: protocols.IKE, spi, transforms: all };
  });
}

/**
 * One proposal for each form of sequence numbers: strongSwan with libipsec refuses a proposal from which
 * extended ones can be selected. `withKeyExchange` is false in IKE_AUTH (RFC 7296 1.2).
 */
export function offerEsp(algorithms: EspAlgorithms, spi: Uint8Array, withKeyExchange: boolean): Proposal[] {
  const onlyNone = algorithms.keyExchanges.every((method) => method === 'none');
  const exchanges = withKeyExchange && !onlyNone ? algorithms.keyExchanges.map(exchangeTransform) : [];
  const ciphers = algorithms.ciphers.map(cipherTransform);
  const additional = withKeyExchange && !onlyNone ? additionalOf(algorithms) : (['none'] as const);
  const ways = additional.flatMap((method) => algorithms.esn.map((esn) => ({ method, esn })));
  return ways.map(({ method, esn }, i) => {
    const transforms = [...ciphers, ...exchanges, sequenceNumbers(esn), ...additionalTransforms(method)];
    return { number: i + 1, protocol: protocols.ESP, spi, transforms };
  });
}

function offers(proposal: Proposal, wanted: Transform): boolean {
  return proposal.transforms.some(
    (each) =>
      !each.strange && each.type === wanted.type && each.id === wanted.id && each.keyLength === wanted.keyLength,
  );
}

/** RFC 7296 3.3.6: a proposal with a transform type that is not known must not be chosen. */
function isReadable(proposal: Proposal, types: readonly number[]): boolean {
  return proposal.transforms.every((each) => types.includes(each.type));
}

/** An AEAD goes with no integrity transform, or with the one that says NONE (RFC 7296 3.3). */
function integrityIsNone(proposal: Proposal): boolean {
  const integrity = proposal.transforms.filter((each) => each.type === transformTypes.INTEG);
  return integrity.length === 0 || integrity.some((each) => each.id === noIntegrity && !each.strange);
}

const common = [
  transformTypes.ENCR,
  transformTypes.INTEG,
  transformTypes.KE,
  transformTypes.ADDKE1,
  ...furtherKeyExchanges,
];
const ikeTypes = [...common, transformTypes.PRF];
const espTypes = [...common, transformTypes.ESN];

/** The wanted method, or the one whose public value is already there if we allow that one too: it saves a round trip. */
function pickExchange<Method extends KeyExchange | 'none'>(
  proposal: Proposal,
  allowed: readonly Method[],
  present: KeyExchange | null,
): Method | undefined {
  const common = allowed.filter((method) => offers(proposal, exchangeTransform(method)));
  return common.find((method) => method === present) ?? common[0];
}

/** RFC 7296 2.7. `present` is the method of the KE payload that came along. Null: NO_PROPOSAL_CHOSEN. */
export function chooseIke(
  proposals: readonly Proposal[],
  allowed: IkeAlgorithms,
  present: KeyExchange | null,
  spiLength: 0 | 8,
): Chosen<IkeSuite> | null {
  for (const proposal of proposals) {
    if (proposal.protocol !== protocols.IKE || proposal.spi.length !== spiLength) continue;
    if (!isReadable(proposal, ikeTypes) || !integrityIsNone(proposal) || !furtherAreNone(proposal)) continue;
    const cipher = allowed.ciphers.find((each) => offers(proposal, cipherTransform(each)));
    const prf = allowed.prfs.find((each) => offers(proposal, transform('PRF', prfIds[each])));
    const keyExchange = pickExchange(proposal, allowed.keyExchanges, present);
    const more = pickAdditional(proposal, additionalOf(allowed));
    if (cipher === undefined || prf === undefined || keyExchange === undefined || more === undefined) continue;
    const first = [cipherTransform(cipher), transform('PRF', prfIds[prf]), exchangeTransform(keyExchange)];
    const transforms = [...first, ...additionalTransforms(more)];
    const { number, protocol, spi } = proposal;
    return {
      suite: { cipher, prf, keyExchange, additionalKeyExchange: more === 'none' ? null : more },
      peerSpi: spi,
      answer: (ours) => [{ number, protocol, spi: ours, transforms }],
    };
  }
  return null;
}

/** As `chooseIke`. `exchange` false: IKE_AUTH, where key exchange transforms say nothing. */
export function chooseEsp(
  proposals: readonly Proposal[],
  allowed: EspAlgorithms,
  exchange: { readonly present: KeyExchange | null } | false,
): Chosen<EspSuite> | null {
  for (const proposal of proposals) {
    if (proposal.protocol !== protocols.ESP || !isEspSpi(proposal.spi)) continue;
    if (!isReadable(proposal, espTypes) || !integrityIsNone(proposal)) continue;
    const suite = chooseEspSuite(proposal, allowed, exchange);
    if (suite === null) continue;
    const said = exchange && proposal.transforms.some((each) => each.type === transformTypes.KE);
    const transforms = [
      cipherTransform(suite.cipher),
      ...(said ? [exchangeTransform(suite.keyExchange ?? 'none')] : []),
      sequenceNumbers(suite.esn),
      ...additionalTransforms(suite.additionalKeyExchange ?? 'none'),
    ];
    const { number, protocol, spi } = proposal;
    return { suite, peerSpi: spi, answer: (ours) => [{ number, protocol, spi: ours, transforms }] };
  }
  return null;
}

function chooseEspSuite(
  proposal: Proposal,
  allowed: EspAlgorithms,
  exchange: { readonly present: KeyExchange | null } | false,
): EspSuite | null {
  const cipher = allowed.ciphers.find((each) => offers(proposal, cipherTransform(each)));
  const esn = allowed.esn.find((each) => offers(proposal, sequenceNumbers(each)));
  if (cipher === undefined || esn === undefined) return null;
  const none = { cipher, esn, keyExchange: null, additionalKeyExchange: null };
  if (!exchange) return none;
  const method = pickEspExchange(proposal, allowed, exchange.present);
  const more = pickAdditional(proposal, additionalOf(allowed));
  if (method === undefined || more === undefined || !furtherAreNone(proposal)) return null;
  // RFC 9370 adds to a key exchange: where there is none, nothing is added.
  if (method === 'none') return more === 'none' ? none : null;
  return { ...none, keyExchange: method, additionalKeyExchange: more === 'none' ? null : more };
}

/** RFC 4303 2.1: 1 to 255 are reserved, 0 is never on the wire. */
function isEspSpi(octets: Uint8Array): boolean {
  return octets.length === 4 && octets.subarray(0, 3).some((octet) => octet !== 0);
}

/** No key exchange transform at all means NONE (RFC 7296 3.3.3). */
function pickEspExchange(
  proposal: Proposal,
  allowed: EspAlgorithms,
  present: KeyExchange | null,
): KeyExchange | 'none' | undefined {
  if (proposal.transforms.some((each) => each.type === transformTypes.KE)) {
    return pickExchange(proposal, allowed.keyExchanges, present);
  }
  return allowed.keyExchanges.find((method) => method === 'none');
}

/** The initiator's check of the answer: exactly one proposal, one transform of each type, all of them offered. */
export function acceptIke(
  answer: readonly Proposal[],
  offered: IkeAlgorithms,
  spiLength: 0 | 8,
): { readonly suite: IkeSuite; readonly peerSpi: Uint8Array } | null {
  return isSingle(answer) ? chooseIke(answer, offered, null, spiLength) : null;
}

export function acceptEsp(
  answer: readonly Proposal[],
  offered: EspAlgorithms,
  withKeyExchange: boolean,
): { readonly suite: EspSuite; readonly peerSpi: Uint8Array } | null {
  return isSingle(answer) ? chooseEsp(answer, offered, withKeyExchange && { present: null }) : null;
}

function isSingle(answer: readonly Proposal[]): boolean {
  const [proposal, ...more] = answer;
  if (proposal === undefined || more.length > 0) return false;
  const types = proposal.transforms.map((each) => each.type);
  return new Set(types).size === types.length;
}

/** The group of an INVALID_KE_PAYLOAD: two octets (RFC 7296 1.3). Null for one that moat does not know. */
export function groupOf(data: Uint8Array): KeyExchange | null {
  return data.length === 2 ? keyExchangeOf(((data[0] ?? 0) << 8) | (data[1] ?? 0)) : null;
}

export function groupOctets(method: KeyExchange): Uint8Array {
  const id = keyExchangeId(method);
  return Uint8Array.of(id >> 8, id & 255);
}
