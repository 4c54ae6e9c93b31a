/**
 * Theory of operation. A new configuration is a candidate until the box has proven that it still does its work under it:
 *
 *     settled --offer--> trying --proven--> settled (the candidate is confirmed)
 *                        |    ^
 *          failed, time  v    | time
 *                       returned --proven--> settled (the candidate is rejected)
 *
 * `returned` is the old configuration back in force. When it proves itself, the candidate was at fault. When it does not either,
 * nobody knows (the provider may be away): both get their turns until one is proven. So a candidate that locks the box out
 * heals by itself, and one that came during an outage is not thrown away for it.
 */

/** Identifies a configuration: the hash of its text. */
export type Generation = string;

export type TransactionState =
  | { readonly name: 'settled'; readonly confirmed: Generation | null; readonly rejected: Rejected | null }
  | {
      readonly name: 'trying';
      readonly candidate: Generation;
      readonly old: Generation | null;
      readonly deadline: number;
    }
  | {
      readonly name: 'returned';
      readonly candidate: Generation;
      readonly old: Generation;
      readonly why: string;
      readonly deadline: number;
    };

export interface Rejected {
  readonly generation: Generation;
  /** Sentence fragment: what it did not do. */
  readonly why: string;
}

export type TransactionEvent =
  | { readonly kind: 'offer'; readonly generation: Generation }
  /** What is in force could not be applied whole. */
  | { readonly kind: 'failed'; readonly problem: string }
  /** The box does its work under what is in force. `since`: when that was put in force. */
  | { readonly kind: 'proven'; readonly generation: Generation }
  | { readonly kind: 'wake'; readonly problem: string };

export type TransactionEffect =
  /** On the disk before it is in force: after a power cut it is known to be on trial. */
  | { readonly kind: 'saveCandidate'; readonly generation: Generation }
  | { readonly kind: 'apply'; readonly generation: Generation }
  | { readonly kind: 'confirm'; readonly generation: Generation }
  | { readonly kind: 'reject'; readonly rejected: Rejected };

/** Milliseconds for each turn. Below half of the five minutes after which a locked-out box must be back. */
export const turnMs = 120_000;

interface Step {
  readonly state: TransactionState;
  readonly effects: readonly TransactionEffect[];
}

/** What a box starts with: `candidate` is what a power cut found on trial. */
export interface Found {
  readonly confirmed: Generation | null;
  readonly rejected: Rejected | null;
  readonly candidate: Generation | null;
}

/** A candidate that the power went away under is not tried first: it may be why. It gets its turn if the old one fails too. */
export function begin({ confirmed, rejected, candidate }: Found, now: number): Step {
  if (candidate !== null && confirmed !== null && candidate !== confirmed) {
    const why = 'the box was restarted before it had proven itself';
    const state = { name: 'returned', candidate, old: confirmed, why, deadline: now + turnMs } as const;
    return { state, effects: [{ kind: 'apply', generation: confirmed }] };
  }
  const state = { name: 'settled', confirmed, rejected } as const;
  return { state, effects: confirmed === null ? [] : [{ kind: 'apply', generation: confirmed }] };
}

export function wakeAt(state: TransactionState): number {
  return state.name === 'settled' ? Number.POSITIVE_INFINITY : state.deadline;
}

/** What is in force now. */
export function inForce(state: TransactionState): Generation | null {
  if (state.name === 'settled') return state.confirmed;
  return state.name === 'trying' ? state.candidate : state.old;
}

export function step(state: TransactionState, event: TransactionEvent, now: number): Step {
  switch (event.kind) {
    case 'offer':
      return offered(state, event.generation, now);
    case 'failed':
      return failed(state, event.problem, now);
    case 'proven':
      return event.generation === inForce(state) ? proven(state) : still(state);
    case 'wake':
      return now < wakeAt(state) ? still(state) : turnOver(state, event.problem, now);
  }
}

const still = (state: TransactionState): Step => ({ state, effects: [] });

function oldOf(state: TransactionState): Generation | null {
  return state.name === 'settled' ? state.confirmed : state.old;
}

function offered(state: TransactionState, candidate: Generation, now: number): Step {
  const old = oldOf(state);
  // Applied once more all the same: its key files may have changed.
  if (candidate === old && state.name !== 'returned') {
    const settled = { name: 'settled', confirmed: old, rejected: null } as const;
    return {
      state: settled,
      effects: [
        { kind: 'confirm', generation: old },
        { kind: 'apply', generation: old },
      ],
    };
  }
  return tried(candidate, old, now);
}

function tried(candidate: Generation, old: Generation | null, now: number): Step {
  return {
    state: { name: 'trying', candidate, old, deadline: now + turnMs },
    effects: [
      { kind: 'saveCandidate', generation: candidate },
      { kind: 'apply', generation: candidate },
    ],
  };
}

function returned(candidate: Generation, old: Generation, why: string, now: number): Step {
  return {
    state: { name: 'returned', candidate, old, why, deadline: now + turnMs },
    effects: [{ kind: 'apply', generation: old }],
  };
}

function failed(state: TransactionState, problem: string, now: number): Step {
  if (state.name !== 'trying' || state.old === null) return still(state);
  return returned(state.candidate, state.old, problem, now);
}

function proven(state: TransactionState): Step {
  switch (state.name) {
    case 'settled':
      return still(state);
    case 'trying':
      return {
        state: { name: 'settled', confirmed: state.candidate, rejected: null },
        effects: [{ kind: 'confirm', generation: state.candidate }],
      };
    case 'returned': {
      const rejected = { generation: state.candidate, why: state.why };
      return {
        state: { name: 'settled', confirmed: state.old, rejected },
        effects: [{ kind: 'reject', rejected }],
      };
    }
  }
}

function turnOver(state: TransactionState, problem: string, now: number): Step {
  switch (state.name) {
    case 'settled':
      return still(state);
    case 'trying':
      // Nothing to go back to: it stays, and is applied again for what may have been in its way.
      if (state.old === null) {
        const again = { ...state, deadline: now + turnMs };
        return { state: again, effects: [{ kind: 'apply', generation: state.candidate }] };
      }
      return returned(state.candidate, state.old, problem, now);
    case 'returned':
      return tried(state.candidate, state.old, now);
  }
}
