import { hex } from '../lib/bytes.ts';
import type { Env } from '../lib/env.ts';
import type { IkeEffect } from './api.ts';
import { drop, owns } from './channel.ts';
import { belongs, isSpiHint } from './commands.ts';
import { crashToken, provesCrash } from './crash.ts';
import { beginLiveness } from './exchanges/informational.ts';
import { refuse, respondInit } from './exchanges/sa-init.ts';
import { respondResume } from './exchanges/session-resume.ts';
import { Gate, RateLimit } from './gate.ts';
import { exchangeTypes } from './numbers.ts';
import type { Peers } from './peers.ts';
import { initialExchanges, violation } from './rules.ts';
import { type Raw, receive } from './sa.ts';
import type { IkeState } from './states.ts';
import type { Entry, SaTable } from './table.ts';
import type { Turn } from './turn.ts';
import { tend } from './upkeep.ts';
import { isZero, readHeader, readPayloads } from './wire/message.ts';
import { notifyOf } from './wire/notify.ts';

/* Where a datagram goes: to the SA whose SPI it names, or to what is done with strangers. */

/** Answers to datagrams for SAs that do not exist (RFC 7296 2.21.4). */
const strangersPerSecond = 10;
/** A hint that the peer has lost the SA is not worth a question more often than this. */
const hintMilliseconds = 5_000;

/** The clock and chance of one call from outside, and all that came of it. */
export interface Call {
  readonly env: Env;
  readonly effects: IkeEffect[];
}

/** What the endpoint does for it. */
export interface Runner {
  /** One step of one SA. */
  run(entry: Entry, call: Call, work: (state: IkeState, turn: Turn) => IkeState): undefined;
  /** For work that has no SA yet. */
  guard(call: Call, work: (turn: Turn) => void): undefined;
  turn(call: Call): Turn;
}

export class Reception {
  readonly #peers: Peers;
  readonly #table: SaTable;
  readonly #runner: Runner;
  readonly #gate = new Gate();
  readonly #answers = new RateLimit(strangersPerSecond);

  constructor(peers: Peers, table: SaTable, runner: Runner) {
    this.#peers = peers;
    this.#table = table;
    this.#runner = runner;
  }

  #count(reason: string, call: Call): undefined {
    this.#runner.turn(call).world.count(reason);
  }

  receive({ bytes, path }: { bytes: Uint8Array; path: Raw['path'] }, call: Call): undefined {
    const header = readHeader(bytes);
    if (header === null) return this.#count('malformed', call);
    const raw: Raw = { header, bytes, path };
    if (header.majorVersion !== 2) return this.#otherVersion(raw, call);
    const initial = initialExchanges.includes(header.exchange) && !header.response;
    if (initial) return this.#receiveInit(raw, call);
    const ours = header.fromInitiator ? header.spiResponder : header.spiInitiator;
    const theirs = header.fromInitiator ? header.spiInitiator : header.spiResponder;
    const entry = this.#table.get(hex(ours));
    if (entry === undefined) return this.#unknownSpi(raw, call);
    if (!belongs(entry.state, theirs)) return this.#count('otherSpi', call);
    if (isSpiHint(raw)) return this.#hint(entry, raw, call);
    // What follows from the message, such as the DELETE of a replaced SA, goes out with it.
    this.#runner.run(entry, call, (state, turn) => tend(receive(state, raw, turn), turn));
  }

  #otherVersion(raw: Raw, call: Call): undefined {
    this.#count('otherVersion', call);
    if (raw.header.response || raw.header.majorVersion < 2 || !this.#answers.allows(call.env.now)) return;
    refuse({ ...raw, payloads: [] }, notifyOf('INVALID_MAJOR_VERSION'), this.#runner.turn(call));
  }

  #receiveInit(raw: Raw, call: Call): undefined {
    const { header, bytes } = raw;
    const key = this.#gate.known(bytes, call.env.now);
    const entry = key === null ? undefined : this.#table.get(key);
    if (entry !== undefined) return this.#runner.run(entry, call, (state, turn) => receive(state, raw, turn));
    const fresh =
      header.fromInitiator && header.messageId === 0 && isZero(header.spiResponder) && !isZero(header.spiInitiator);
    if (!fresh || key !== null) return this.#count('strayInit', call);
    this.#runner.guard(call, (turn) => {
      if (!this.#gate.admits(raw, this.#table.halfOpen, turn)) return;
      const payloads = readPayloads(header, bytes);
      if (payloads === null || violation(header, payloads) !== null) return this.#count('malformed', call);
      const message = { ...raw, payloads };
      const resumes = header.exchange === exchangeTypes.IKE_SESSION_RESUME;
      const state = resumes ? respondResume(message, turn) : respondInit(message, this.#peers.algorithms(), turn);
      if (state === null) return this.#count('initRefused', call);
      const added = this.#table.add(state);
      if (added) this.#gate.remember(bytes, added.key, call.env.now);
    });
  }

  /** RFC 7296 2.21.4: a request for an SA that is not there may be told so, without protection; an answer is dropped. */
  #unknownSpi(raw: Raw, call: Call): undefined {
    this.#count('unknownSpi', call);
    const { header } = raw;
    if (header.response || !this.#answers.allows(call.env.now)) return;
    const turn = this.#runner.turn(call);
    const token = crashToken(turn.world.options.crashSecret, header);
    refuse({ ...raw, payloads: [] }, notifyOf('INVALID_IKE_SPI'), turn, token);
  }

  /** Anybody can send it, so it is only a reason to ask the peer whether it is alive; unless it shows what only the peer can (RFC 6290). */
  #hint(entry: Entry, raw: Raw, call: Call): undefined {
    this.#count('invalidSpiHint', call);
    const { now } = call.env;
    const payloads = readPayloads(raw.header, raw.bytes) ?? [];
    this.#runner.run(entry, call, (state, turn) => {
      if (state.name !== 'established' || !owns(state)) return state;
      if (provesCrash(payloads, state.crashToken)) {
        return drop(state, { failure: 'peerDead', detail: 'it was restarted and has lost the tunnel' }, turn);
      }
      return state.task === null && now - state.heardAt >= hintMilliseconds ? beginLiveness(state, turn) : state;
    });
  }
}
