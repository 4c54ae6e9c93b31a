import { Opener, Sealer } from '../../appliance/ike/crypto/sealed.ts';
import { exchangeTypes } from '../../appliance/ike/numbers.ts';
import { corpus, mutate } from '../../appliance/ike/wire/corpus.ts';
import { peekInit, readHeader } from '../../appliance/ike/wire/message.ts';
import { decodePayloads, encodePayloads, type Payload } from '../../appliance/ike/wire/payloads.ts';
import { x509Corpus } from '../../appliance/ike/x509/corpus.ts';
import { concat, DecodeError, Reader } from '../../appliance/lib/bytes.ts';
import { Secret } from '../../appliance/lib/secret.ts';
import type { Chance } from './chance.ts';

/** One decoder and the octets that its fuzzing begins with. `decode` throws `DecodeError` for what it refuses, and nothing else. */
interface Target {
  readonly name: string;
  readonly samples: readonly Uint8Array[];
  readonly decode: (bytes: Uint8Array, sample: number) => unknown;
}

/** What decodes must come out in a form that can be sent again. */
function payloadTargets(): Target[] {
  const byName = Map.groupBy(corpus, ({ name }) => name.split(' ')[0] ?? name);
  return [...byName].map(([name, samples]) => ({
    name: `payload ${name}`,
    samples: samples.map(({ bytes }) => bytes),
    decode: (bytes, sample) => encodePayloads(decodePayloads(samples[sample]?.first ?? 0, new Reader(bytes))),
  }));
}

const payloads: readonly Payload[] = [{ type: 'Nonce', body: new Uint8Array(400).fill(5) }];
const spis = { spiInitiator: new Uint8Array(8).fill(1), spiResponder: new Uint8Array(8).fill(2) };
const key = () => new Secret(new Uint8Array(36).fill(3));

/** Whole messages: a sealed one, and one in fragments. */
function messageTargets(): Target[] {
  const header = { ...spis, fromInitiator: true, response: false, exchange: exchangeTypes.INFORMATIONAL, messageId: 7 };
  const sealer = new Sealer('aes-256-gcm-16', key());
  const whole = sealer.seal(header, payloads);
  const fragments = sealer.seal(header, payloads, 200);
  const open = (bytes: Uint8Array) => {
    const read = readHeader(bytes);
    return read === null ? null : new Opener('aes-256-gcm-16', key()).open(read, bytes);
  };
  const initial = corpus.find(({ name }) => name === 'all together');
  const chain = concat(new Uint8Array(28), initial?.bytes ?? new Uint8Array());
  const peek = (bytes: Uint8Array) =>
    peekInit({ nextPayload: initial?.first ?? 0 } as Parameters<typeof peekInit>[0], bytes);
  return [
    { name: 'header', samples: [...whole], decode: readHeader },
    { name: 'sealed message', samples: whole, decode: open },
    { name: 'sealed fragment', samples: fragments, decode: open },
    { name: 'IKE_SA_INIT looked at for a cookie', samples: [chain], decode: peek },
  ];
}

function certificateTargets(): Target[] {
  return x509Corpus.map(({ name, bytes, decode }) => ({ name, samples: [bytes], decode }));
}

export interface DecoderResult {
  readonly name: string;
  readonly decoded: number;
  readonly refused: number;
}

/** `count` mutated messages for each decoder. @throws {Error} for whatever a decoder throws that is no `DecodeError`. */
export function fuzzDecoders(count: number, chance: Chance): DecoderResult[] {
  const targets = [...payloadTargets(), ...messageTargets(), ...certificateTargets()];
  return targets.map((target) => fuzzOne(target, count, chance));
}

function fuzzOne({ name, samples, decode }: Target, count: number, chance: Chance): DecoderResult {
  let refused = 0;
  for (let i = 0; i < count; i += 1) {
    const sample = chance.u32() % samples.length;
    const bytes = mutate(samples[sample] ?? new Uint8Array(), choices(chance));
    try {
      decode(bytes, sample);
    } catch (error) {
      if (!(error instanceof DecodeError))
        throw new Error(`${name}: ${Buffer.from(bytes).toString('hex')}`, { cause: error });
      refused += 1;
    }
  }
  return { name, decoded: count - refused, refused };
}

export function choices(chance: Chance): number[] {
  return Array.from({ length: 1 + (chance.u32() % 6) }, () => chance.u32());
}
