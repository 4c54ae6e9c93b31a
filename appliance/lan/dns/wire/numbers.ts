/** The numbers of DNS (IANA "Domain Name System Parameters"); only those that some rule here needs by name. */
export const Type = {
  A: 1,
  NS: 2,
  CNAME: 5,
  SOA: 6,
  PTR: 12,
  HINFO: 13,
  MX: 15,
  TXT: 16,
  SIG: 24,
  AAAA: 28,
  SRV: 33,
  DNAME: 39,
  OPT: 41,
  DS: 43,
  RRSIG: 46,
  NSEC: 47,
  NSEC3: 50,
  NSEC3PARAM: 51,
  TSIG: 250,
  IXFR: 251,
  AXFR: 252,
  ANY: 255,
} as const;

export const Class = { IN: 1, ANY: 255 } as const;

export const Opcode = { QUERY: 0, NOTIFY: 4 } as const;

export const Rcode = {
  NOERROR: 0,
  FORMERR: 1,
  SERVFAIL: 2,
  NXDOMAIN: 3,
  NOTIMP: 4,
  REFUSED: 5,
  YXDOMAIN: 6,
  NOTAUTH: 9,
  BADVERS: 16,
} as const;

/** Bits of the header's second word (RFC 1035 4.1.1, RFC 4035 3.2). */
export const Flag = { QR: 0x8000, AA: 0x0400, TC: 0x0200, RD: 0x0100, RA: 0x0080, AD: 0x0020, CD: 0x0010 } as const;

/** Extended errors (RFC 8914 4) that this server gives. */
export const ExtendedError = {
  other: 0,
  staleAnswer: 3,
  notReady: 14,
  prohibited: 18,
  notSupported: 21,
  noReachableAuthority: 22,
  networkError: 23,
} as const;

/** An extended error with a sentence for people; `text` is at most 120 octets of UTF-8. */
export interface Ede {
  readonly code: number;
  readonly text: string;
}

/** Sizes in octets. 1232 fits any path of 1280 (DNS flag day 2020), so that answers are never IP fragments. */
export const udpOctets = { plain: 512, edns: 1232 } as const;
export const headerOctets = 12;
export const messageOctets = 65535;
