import { DecodeError, type Reader, Writer } from '../../lib/bytes.ts';

/*
 * RFC 7296 3.3.1 and 3.3.2. A security association payload is a list of proposals, each a list of transforms.
 *
 * +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 * | Last (0 or 2) |   RESERVED    |         Proposal Length       |
 * | Proposal Num  |  Protocol ID  |    SPI Size   |Num  Transforms|
 * ~                        SPI (variable)                         ~
 *
 * | Last (0 or 3) |   RESERVED    |        Transform Length       |
 * |Transform Type |   RESERVED    |          Transform ID         |
 * ~                      Transform Attributes                     ~
 */
const keyLengthAttribute = 14;
const shortFormat = 0x8000;

/** More than any real peer sends; bounds the work that one datagram can cause. */
const maxProposals = 64;
const maxTransforms = 255;

export interface Transform {
  readonly type: number;
  readonly id: number;
  /** In bits; null without the attribute. */
  readonly keyLength: number | null;
  /** The transform has an attribute that is not known here, so it must not be chosen (RFC 7296 3.3.6). */
  readonly strange: boolean;
}

export interface Proposal {
  readonly number: number;
  readonly protocol: number;
  /** 0 octets in IKE_SA_INIT, 8 in the rekey of an IKE SA, 4 for ESP. */
  readonly spi: Uint8Array;
  readonly transforms: readonly Transform[];
}

/** @throws {DecodeError} */
export function decodeProposals(reader: Reader): Proposal[] {
  const proposals: Proposal[] = [];
  let more = true;
  while (more) {
    if (proposals.length === maxProposals) throw new DecodeError(`more than ${maxProposals} proposals`);
    const last = reader.u8();
    if (last !== 0 && last !== 2) throw new DecodeError(`a proposal is followed by 0 or 2, not ${last}`);
    reader.skip(1);
    proposals.push(decodeProposal(reader.sub(reader.u16() - 4)));
    more = last === 2;
  }
  if (reader.remaining > 0) throw new DecodeError('octets behind the last proposal');
  return proposals;
}

function decodeProposal(reader: Reader): Proposal {
  const number = reader.u8();
  const protocol = reader.u8();
  const spiSize = reader.u8();
  const count = reader.u8();
  const spi = reader.bytes(spiSize);
  const transforms: Transform[] = [];
  for (let i = 0; i < count && i < maxTransforms; i += 1) {
    const last = reader.u8();
    if (last !== (i === count - 1 ? 0 : 3)) throw new DecodeError('the transforms are not as many as announced');
    reader.skip(1);
    transforms.push(decodeTransform(reader.sub(reader.u16() - 4)));
  }
  if (reader.remaining > 0) throw new DecodeError('octets behind the last transform');
  return { number, protocol, spi, transforms };
}

function decodeTransform(reader: Reader): Transform {
  const type = reader.u8();
  reader.skip(1);
  const id = reader.u16();
  let keyLength: number | null = null;
  let strange = false;
  while (reader.remaining > 0) {
    const format = reader.u16();
    const value = reader.u16();
    if ((format & shortFormat) === 0) reader.skip(value);
    if (format === (shortFormat | keyLengthAttribute) && keyLength === null) keyLength = value;
    else strange = true;
  }
  return { type, id, keyLength, strange };
}

export function encodeProposals(proposals: readonly Proposal[]): Uint8Array {
  const writer = new Writer();
  proposals.forEach((proposal, i) => {
    const start = writer.length;
    writer
      .u8(i === proposals.length - 1 ? 0 : 2)
      .u8(0)
      .u16(0);
    writer.u8(proposal.number).u8(proposal.protocol).u8(proposal.spi.length).u8(proposal.transforms.length);
    writer.bytes(proposal.spi);
    proposal.transforms.forEach((transform, j) => {
      encodeTransform(writer, transform, j === proposal.transforms.length - 1);
    });
    writer.patchU16(start + 2, writer.length - start);
  });
  return writer.finish();
}

function encodeTransform(writer: Writer, transform: Transform, last: boolean): void {
  writer.u8(last ? 0 : 3).u8(0);
  writer.u16(transform.keyLength === null ? 8 : 12);
  writer.u8(transform.type).u8(0).u16(transform.id);
  if (transform.keyLength !== null) writer.u16(shortFormat | keyLengthAttribute).u16(transform.keyLength);
}
