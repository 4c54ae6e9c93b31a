import type { KemKey } from './crypto/kem.ts';
import type { KeyPair } from './crypto/key-exchange.ts';
import type { ChildDraft, IkeDraft } from './exchanges/drafts.ts';
import type { Sent } from './retransmit.ts';
import type { Nonces } from './states.ts';

/*
 * What an established SA is about: one request of its own at a time (window 1), and one exchange of the peer's that is answered in part.
 */

interface ChildTask {
  readonly kind: 'child';
  readonly sent: Sent;
  /** Inbound SPI of the child that is rekeyed; null: a new one, because the last is gone. */
  readonly replaces: number | null;
  readonly policy: number;
  readonly tunnel: number;
  readonly spi: number;
  readonly nonce: Uint8Array;
  readonly keyPair: KeyPair | null;
  /** The peer rekeys the same child at the same time: what its exchange made. */
  readonly rival: { readonly spi: number; readonly nonces: Nonces } | null;
  /** SPIs that the peer has deleted meanwhile and that we do not know: one may be in the answer that is still to come. */
  readonly gone: readonly number[];
}

interface IkeTask {
  readonly kind: 'ike';
  readonly sent: Sent;
  readonly spi: Uint8Array;
  readonly nonce: Uint8Array;
  readonly keyPair: KeyPair;
  readonly rival: { readonly nonces: Nonces } | null;
}

interface DeleteTask {
  readonly kind: 'delete';
  readonly sent: Sent;
}

/** UPDATE_SA_ADDRESSES, or an empty message to a peer without MOBIKE. */
interface UpdateTask {
  readonly kind: 'update';
  readonly sent: Sent;
}

/** Is the peer really where its UPDATE_SA_ADDRESSES came from? */
interface CheckTask {
  readonly kind: 'check';
  readonly sent: Sent;
  readonly cookie: Uint8Array;
}

/** A notify that needs no answer but that it came. */
interface ToldTask {
  readonly kind: 'told';
  readonly sent: Sent;
}

/** TICKET_REQUEST. */
interface TicketTask {
  readonly kind: 'ticket';
  readonly sent: Sent;
}

interface LivenessTask {
  readonly kind: 'liveness';
  readonly sent: Sent;
}

/** IKE_FOLLOWUP_KE after the CREATE_CHILD_SA of `of.task` (RFC 9370 2.2.4). */
interface FollowUpTask {
  readonly kind: 'followUp';
  readonly sent: Sent;
  readonly key: KemKey;
  readonly of:
    | { readonly kind: 'child'; readonly task: ChildTask; readonly draft: ChildDraft }
    | { readonly kind: 'ike'; readonly task: IkeTask; readonly draft: IkeDraft };
}

export type Task =
  | ChildTask
  | IkeTask
  | FollowUpTask
  | DeleteTask
  | UpdateTask
  | CheckTask
  | ToldTask
  | TicketTask
  | LivenessTask;

/** What the task makes anew, whichever of its exchanges is under way; null if it is no rekey. */
export function rekeyOf(task: Task): ChildTask | IkeTask | null {
  if (task.kind === 'followUp') return task.of.task;
  return task.kind === 'child' || task.kind === 'ike' ? task : null;
}

/** Notes that the peer has made another SA in the place of ours. */
export function withRival(task: Task, rival: { readonly spi?: number; readonly nonces: Nonces }): Task {
  const { spi, nonces } = rival;
  if (task.kind === 'ike') return { ...task, rival: { nonces } };
  if (task.kind === 'child') return spi === undefined ? task : { ...task, rival: { spi, nonces } };
  if (task.kind !== 'followUp') return task;
  const { of } = task;
  if (of.kind === 'ike') return { ...task, of: { ...of, task: { ...of.task, rival: { nonces } } } };
  return spi === undefined ? task : { ...task, of: { ...of, task: { ...of.task, rival: { spi, nonces } } } };
}

/** No honest peer deletes more of what we do not know while one request of ours is under way. */
const maxGone = 8;

/** Notes that the peer has deleted SAs that we do not have, or not yet. */
export function withGone(task: Task, spis: readonly number[]): Task {
  if (task.kind === 'child') return { ...task, gone: [...task.gone, ...spis].slice(0, maxGone) };
  if (task.kind !== 'followUp' || task.of.kind !== 'child') return task;
  const { of } = task;
  return { ...task, of: { ...of, task: { ...of.task, gone: [...of.task.gone, ...spis].slice(0, maxGone) } } };
}

/** As responder: CREATE_CHILD_SA is answered, and IKE_FOLLOWUP_KE with these octets in its notify has to come. */
export interface Pending {
  readonly link: Uint8Array;
  readonly expiresAt: number;
  readonly of:
    | { readonly kind: 'child'; readonly draft: ChildDraft; readonly replaces: number | null }
    | { readonly kind: 'ike'; readonly draft: IkeDraft };
}

export type TaskOf<Kind extends Task['kind']> = Extract<Task, { kind: Kind }>;
