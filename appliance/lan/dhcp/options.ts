import { concat, Reader, Writer } from '../../lib/bytes.ts';
import { option } from './numbers.ts';

/**
 * Options of a message, each code once: what came in several pieces is joined in order (RFC 3396 5 to 7).
 * The package's own parser reads PAD as two octets, keeps the last piece only and mangles what is not text.
 */
export type RawOptions = ReadonlyMap<number, Uint8Array>;

export type RawOption = readonly [code: number, value: Uint8Array];

/** Fixed places of a BOOTP message (RFC 2131 2), in octets. */
export const layout = { chaddr: 28, sname: 44, file: 108, cookie: 236, options: 240 } as const;

/** @throws {DecodeError} when an option's length leaves its field. */
export function decodeOptions(message: Uint8Array): RawOptions {
  const pieces = new Map<number, Uint8Array[]>();
  collect(message.subarray(layout.options), pieces);
  const overload = pieces.get(option.overload)?.[0]?.[0] ?? 0;
  // RFC 2131 4.1: the file field comes before sname.
  if (overload & 1) collect(message.subarray(layout.file, layout.cookie), pieces);
  if (overload & 2) collect(message.subarray(layout.sname, layout.file), pieces);
  const joined = new Map<number, Uint8Array>();
  for (const [code, values] of pieces)
    joined.set(code, values.length === 1 && values[0] ? values[0] : concat(...values));
  return joined;
}

function collect(field: Uint8Array, pieces: Map<number, Uint8Array[]>): void {
  const reader = new Reader(field);
  while (reader.remaining > 0) {
    const code = reader.u8();
    if (code === option.pad) continue;
    if (code === option.end) return;
    const value = reader.bytes(reader.u8());
    const before = pieces.get(code);
    if (before) before.push(value);
    else pieces.set(code, [value]);
  }
}

/** Octets on the wire: the header is repeated every 255 octets (RFC 3396 4). */
function encodedLength(value: Uint8Array): number {
  return value.length + 2 * Math.max(1, Math.ceil(value.length / 255));
}

function writeOption(writer: Writer, [code, value]: RawOption): void {
  for (let at = 0; at === 0 || at < value.length; at += 255) {
    const piece = value.subarray(at, at + 255);
    writer.u8(code).u8(piece.length).bytes(piece);
  }
}

/** Where options go: the options field, and the two fields that may be overloaded (RFC 2132 9.3); octets. */
export interface Room {
  readonly options: number;
  readonly file: number;
  readonly sname: number;
}

export interface Placed {
  readonly options: Uint8Array;
  /** Empty when the field is not overloaded. */
  readonly file: Uint8Array;
  readonly sname: Uint8Array;
  /** Codes for which there was no room. */
  readonly dropped: readonly number[];
}

/**
 * Options in the order given, `last` (option 82, RFC 3046 2.2) behind them all. What does not fit the options
 * field goes whole into file or sname; what fits nowhere is dropped, so the important ones come first.
 */
export function placeOptions(wanted: readonly RawOption[], last: readonly RawOption[], room: Room): Placed {
  const sum = (list: readonly RawOption[]) => list.reduce((total, [, value]) => total + encodedLength(value), 0);
  const end = 1;
  const overloads = sum(wanted) + sum(last) + end > room.options;
  const overloadOption = 3;
  const fields = [
    { left: room.options - sum(last) - end - (overloads ? overloadOption : 0), writer: new Writer(), bit: 0 },
    { left: overloads ? room.file - end : 0, writer: new Writer(), bit: 1 },
    { left: overloads ? room.sname - end : 0, writer: new Writer(), bit: 2 },
  ];
  const dropped: number[] = [];
  for (const entry of wanted) {
    const size = encodedLength(entry[1]);
    const field = fields.find(({ left }) => size <= left);
    if (!field) {
      dropped.push(entry[0]);
      continue;
    }
    writeOption(field.writer, entry);
    field.left -= size;
  }
  const used = fields.reduce((bits, { writer, bit }) => (writer.length > 0 ? bits | bit : bits), 0);
  const [main, file, sname] = fields.map(({ writer }) => writer);
  if (!main || !file || !sname) throw new Error('three fields were made above');
  if (used !== 0) writeOption(main, [option.overload, Uint8Array.of(used)]);
  for (const entry of last) writeOption(main, entry);
  main.u8(option.end);
  for (const field of [file, sname]) if (field.length > 0) field.u8(option.end);
  return { options: main.finish(), file: file.finish(), sname: sname.finish(), dropped };
}
