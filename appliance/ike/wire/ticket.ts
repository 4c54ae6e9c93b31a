import { DecodeError, Reader, Writer } from '../../lib/bytes.ts';

/*
 * The data of TICKET_LT_OPAQUE, RFC 5723 7.2: how long a ticket is good, and the ticket, which only its maker can read. Of TICKET_OPAQUE the
 * data are the ticket alone.
 *
 * +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 * |                       Lifetime (seconds)                      |
 * ~                            Ticket                             ~
 */
export interface GrantedTicket {
  readonly lifetimeSeconds: number;
  readonly ticket: Uint8Array;
}

/** IKE_SESSION_RESUME is one datagram that cannot be fragmented. */
const maxTicketLength = 1024;

/** @throws {DecodeError} */
export function decodeGrantedTicket(data: Uint8Array): GrantedTicket {
  const reader = new Reader(data);
  const lifetimeSeconds = reader.u32();
  const ticket = reader.rest();
  if (ticket.length === 0 || ticket.length > maxTicketLength)
    throw new DecodeError(`a ticket of ${ticket.length} octets`);
  return { lifetimeSeconds, ticket };
}

export function encodeGrantedTicket({ lifetimeSeconds, ticket }: GrantedTicket): Uint8Array {
  return new Writer().u32(lifetimeSeconds).bytes(ticket).finish();
}
