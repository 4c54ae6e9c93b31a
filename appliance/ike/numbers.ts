/** Numbers of the IANA registry "Internet Key Exchange Version 2 (IKEv2) Parameters", as far as moat reads or writes them. */

export const exchangeTypes = {
  IKE_SA_INIT: 34,
  IKE_AUTH: 35,
  CREATE_CHILD_SA: 36,
  INFORMATIONAL: 37,
  IKE_SESSION_RESUME: 38,
  IKE_INTERMEDIATE: 43,
  IKE_FOLLOWUP_KE: 44,
} as const;
export type ExchangeName = keyof typeof exchangeTypes;

export const payloadTypes = {
  SA: 33,
  KE: 34,
  IDi: 35,
  IDr: 36,
  CERT: 37,
  CERTREQ: 38,
  AUTH: 39,
  Nonce: 40,
  N: 41,
  D: 42,
  V: 43,
  TSi: 44,
  TSr: 45,
  SK: 46,
  CP: 47,
  EAP: 48,
  SKF: 53,
} as const;
export type PayloadName = keyof typeof payloadTypes;

export const protocols = { none: 0, IKE: 1, AH: 2, ESP: 3 } as const;

/** Transform types of RFC 7296 3.3.2. */
export const transformTypes = { ENCR: 1, PRF: 2, INTEG: 3, KE: 4, ESN: 5, ADDKE1: 6 } as const;
/** ADDKE2 to ADDKE7 (RFC 9370 2.2.1), of which moat offers none. */
export const furtherKeyExchanges = [7, 8, 9, 10, 11, 12] as const;

/** Notify types below 16384 are errors (RFC 7296 3.10.1). */
export const firstStatusNotify = 16384;

export const notifyTypes = {
  UNSUPPORTED_CRITICAL_PAYLOAD: 1,
  INVALID_IKE_SPI: 4,
  INVALID_MAJOR_VERSION: 5,
  INVALID_SYNTAX: 7,
  INVALID_MESSAGE_ID: 9,
  INVALID_SPI: 11,
  NO_PROPOSAL_CHOSEN: 14,
  INVALID_KE_PAYLOAD: 17,
  AUTHENTICATION_FAILED: 24,
  SINGLE_PAIR_REQUIRED: 34,
  NO_ADDITIONAL_SAS: 35,
  INTERNAL_ADDRESS_FAILURE: 36,
  FAILED_CP_REQUIRED: 37,
  TS_UNACCEPTABLE: 38,
  INVALID_SELECTORS: 39,
  UNACCEPTABLE_ADDRESSES: 40,
  UNEXPECTED_NAT_DETECTED: 41,
  TEMPORARY_FAILURE: 43,
  CHILD_SA_NOT_FOUND: 44,
  STATE_NOT_FOUND: 47,
  INITIAL_CONTACT: 16384,
  SET_WINDOW_SIZE: 16385,
  ADDITIONAL_TS_POSSIBLE: 16386,
  NAT_DETECTION_SOURCE_IP: 16388,
  NAT_DETECTION_DESTINATION_IP: 16389,
  COOKIE: 16390,
  USE_TRANSPORT_MODE: 16391,
  REKEY_SA: 16393,
  ESP_TFC_PADDING_NOT_SUPPORTED: 16394,
  NON_FIRST_FRAGMENTS_ALSO: 16395,
  MOBIKE_SUPPORTED: 16396,
  UPDATE_SA_ADDRESSES: 16400,
  COOKIE2: 16401,
  REDIRECT_SUPPORTED: 16406,
  REDIRECT: 16407,
  REDIRECTED_FROM: 16408,
  TICKET_LT_OPAQUE: 16409,
  TICKET_REQUEST: 16410,
  TICKET_ACK: 16411,
  TICKET_NACK: 16412,
  TICKET_OPAQUE: 16413,
  CHILDLESS_IKEV2_SUPPORTED: 16418,
  QUICK_CRASH_DETECTION: 16419,
  IKEV2_FRAGMENTATION_SUPPORTED: 16430,
  SIGNATURE_HASH_ALGORITHMS: 16431,
  USE_PPK: 16435,
  PPK_IDENTITY: 16436,
  NO_PPK_AUTH: 16437,
  INTERMEDIATE_EXCHANGE_SUPPORTED: 16438,
  ADDITIONAL_KEY_EXCHANGE: 16441,
  USE_AGGFRAG: 16442,
  /** Private use (RFC 7296 3.10.1), only between peers that know each other's vendor id. */
  MOAT_CAPABILITIES: 40961,
} as const;
export type NotifyName = keyof typeof notifyTypes;

const notifyNames = new Map<number, string>(Object.entries(notifyTypes).map(([name, value]) => [value, name]));

/** For reports: the registry's name, or the number. */
export function notifyName(type: number): string {
  return notifyNames.get(type) ?? `notify ${type}`;
}

/** RFC 7427 4 and RFC 8420 2. `identity`: the signature algorithm hashes by itself. */
export const hashAlgorithms = { sha256: 2, sha384: 3, sha512: 4, identity: 5 } as const;

/** RFC 7296 3.8, RFC 4754, RFC 7427. */
export const authMethods = { sharedKey: 2, ecdsaP256: 9, ecdsaP384: 10, ecdsaP521: 11, digitalSignature: 14 } as const;

/** RFC 7296 3.6: what a CERT payload holds or a CERTREQ asks for. */
export const certificateEncodings = { x509Signature: 4, crl: 7, hashAndUrl: 12 } as const;
