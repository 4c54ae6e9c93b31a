/** What moat uses of the package `dhcp` 0.2.20: the header codec. See message.ts for what it is never given. */
declare module 'dhcp/lib/protocol.js' {
  interface DhcpHeader {
    readonly op: number;
    readonly htype: number;
    readonly hlen: number;
    readonly hops: number;
    readonly xid: number;
    readonly secs: number;
    readonly flags: number;
    readonly ciaddr: string;
    readonly yiaddr: string;
    readonly siaddr: string;
    readonly giaddr: string;
    /** Upper-case hexadecimal pairs joined by '-' */
    readonly chaddr: string;
    readonly sname: string;
    readonly file: string;
  }

  interface DhcpPacket extends DhcpHeader {
    readonly options: Readonly<Record<number, unknown>>;
  }

  const protocol: {
    parse(octets: Buffer): DhcpPacket;
    /** `_data` is a zeroed buffer of 1500 octets, of which `_w` are written. */
    format(packet: DhcpPacket): { readonly _data: Buffer; readonly _w: number };
  };
  export = protocol;
}
