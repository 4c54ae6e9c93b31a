/** A transport address. `address` is canonical text: dotted IPv4, or IPv6 as RFC 5952 writes it; never IPv4-mapped. */
export interface Endpoint {
  readonly address: string;
  readonly port: number;
}

/** Where a datagram came from and arrived, or from where and to where it is to be sent. */
export interface Path {
  readonly local: Endpoint;
  readonly remote: Endpoint;
}

/**
 * A traffic selector (RFC 7296 3.13.1): a range of addresses of one family, both ends included,
 * a protocol (0 = any) and a range of ports (0 to 65535 = any).
 */
export interface Selector {
  readonly startAddress: string;
  readonly endAddress: string;
  readonly protocol: number;
  readonly startPort: number;
  readonly endPort: number;
}
