import {
  type Batch,
  batchSlots,
  type DatagramSocket,
  newBatch,
  openDatagrams,
  slotOctets,
} from '../../../../native/lan/index.ts';
import type { Endpoint } from '../../../lib/net.ts';
import { type Admission, addressOf, type ClientKey } from '../clients.ts';
import { monotonic } from './clock.ts';

/** A message from the LAN. `reply` may be called later, once, or never. */
export interface Incoming {
  readonly bytes: Buffer;
  readonly from: string;
  readonly tcp: boolean;
  readonly admitted: Admission;
  readonly reply: (answer: Buffer) => void;
}

/** What is behind the sockets. `now` in milliseconds of `monotonic`. */
export interface Askable {
  /** Asked once for each message, before anything else. */
  admit(key: ClientKey, now: number): Admission;
  /** The quick way: see `Front.ready`. */
  ready(bytes: Uint8Array, end: number, out: Buffer, now: number): number;
  message(incoming: Incoming): void;
}

const familyIpv4 = 2;

/** One place in the batch, by views that are made once. */
interface Slot {
  readonly question: Buffer;
  readonly answer: Buffer;
  readonly source: Buffer;
}

interface Slots {
  readonly batch: Batch;
  readonly all: readonly Slot[];
}

let shared: Slots | undefined;

function slotsOf(batch: Batch): Slots {
  const part = (whole: Buffer, size: number, i: number) => whole.subarray(i * size, (i + 1) * size);
  const all = Array.from({ length: batchSlots }, (_, i) => ({
    question: part(batch.questions, slotOctets.question, i),
    answer: part(batch.answers, slotOctets.answer, i),
    source: part(batch.sources, slotOctets.source, i),
  }));
  return { batch, all };
}

/** UDP of the LAN on one address: questions come and answers go in batches. @throws what the system says. */
export function openLanDatagrams({ address, port }: Endpoint, askable: Askable): DatagramSocket {
  shared ??= slotsOf(newBatch());
  const { batch, all } = shared;
  const socket = openDatagrams(address, port, batch, (count) => {
    const now = monotonic();
    for (let i = 0; i < count; i += 1) {
      const slot = all[i];
      const length = batch.questionLengths[i];
      if (!slot || !length) continue;
      const key = keyOf(slot.source);
      const admitted = askable.admit(key, now);
      const answered = admitted === 'yes' ? askable.ready(slot.question, length, slot.answer, now) : 0;
      if (answered > 0) batch.answerLengths[i] = answered;
      else askable.message(copyOf(slot, length, { socket, admitted, from: addressOf(key) }));
    }
  });
  return socket;
}

/** What may be thought about for longer than the batch lives. */
function copyOf(
  { question, source }: Slot,
  length: number,
  { socket, ...of }: { socket: DatagramSocket; admitted: Admission; from: string },
): Incoming {
  const asker = Buffer.from(source);
  return {
    ...of,
    bytes: Buffer.from(question.subarray(0, length)),
    tcp: false,
    reply: (answer) => void socket.send(answer, asker),
  };
}

/** The asker's address in a `sockaddr` of the kernel. */
function keyOf(source: Buffer): ClientKey {
  const family = (source[0] ?? 0) | (source[1] ?? 0);
  return family === familyIpv4 ? source.readUInt32BE(4) : source.toString('latin1', 8, 24);
}
