/**
 * The boot state that GRUB, the initramfs and the box share: GRUB's environment block, 1024 octets in the
 * partition `moat-state`. What matters stays within the first 512-octet sector, so that a write is whole or not at all.
 *
 * Theory of operation: `first` is the slot that is tried first; `a` and `b` are the tries that each has left (0 to 3). GRUB
 * takes the first slot with tries left and counts one off; a box that came up gives its slot all three back. A slot on
 * `trial` (a fresh update) is only counted as good when the work probe passes.
 */
export type Slot = 'a' | 'b';

export interface BootState {
  readonly first: Slot;
  readonly a: number;
  readonly b: number;
  /** The slot of an update that has not proven itself. */
  readonly trial: Slot | null;
  /** Why a slot was given up: one word. */
  readonly whyA: string | null;
  readonly whyB: string | null;
}

export const blockOctets = 1024;
const sectorOctets = 512;
const header = '# GRUB Environment Block\n';
export const fullTries = 3;

/** What a box with an unreadable block does: slot a, then b. */
export const freshState: BootState = { first: 'a', a: fullTries, b: fullTries, trial: null, whyA: null, whyB: null };

export function otherSlot(slot: Slot): Slot {
  return slot === 'a' ? 'b' : 'a';
}

/** Anything that is not a block, or a field that is not one of ours, reads as its fresh value: there is nobody to ask. */
export function decodeBootState(block: Uint8Array): BootState {
  const text = Buffer.from(block.subarray(0, blockOctets)).toString('latin1');
  if (!text.startsWith(header)) return freshState;
  const fields = new Map(
    text
      .slice(header.length)
      .split('\n')
      .map((line) => line.split('=', 2) as [string, string | undefined]),
  );
  const slot = (name: string) => {
    const value = fields.get(name);
    return value === 'a' || value === 'b' ? value : null;
  };
  const tries = (name: string) => (/^[0-3]$/.test(fields.get(name) ?? '') ? Number(fields.get(name)) : fullTries);
  return {
    first: slot('first') ?? 'a',
    a: tries('a'),
    b: tries('b'),
    trial: slot('trial'),
    whyA: fields.get('why_a') || null,
    whyB: fields.get('why_b') || null,
  };
}

/** @returns {Uint8Array} 1024 octets. */
export function encodeBootState(state: BootState): Uint8Array {
  const word = (text: string | null) => (text ?? '').replaceAll(/[^A-Za-z0-9_.-]/g, '-').slice(0, 40);
  const lines = [
    `first=${state.first}`,
    `a=${state.a}`,
    `b=${state.b}`,
    `trial=${state.trial ?? ''}`,
    `why_a=${word(state.whyA)}`,
    `why_b=${word(state.whyB)}`,
  ];
  const text = `${header}${lines.join('\n')}\n`;
  if (text.length > sectorOctets) throw new RangeError(`a boot state of ${text.length} octets: expected at most 512`);
  return new Uint8Array(Buffer.from(text.padEnd(blockOctets, '#'), 'latin1'));
}

/** Not while the running slot is on trial: the idle one is where it would go back to. */
export function mayWrite(state: BootState, running: Slot): boolean {
  return state.trial !== running;
}

/** The slot is about to be overwritten: it must not be booted until that is complete. */
export function beforeWriting(state: BootState, idle: Slot): BootState {
  return withWhy({ ...state, [idle]: 0, first: otherSlot(idle), trial: null }, idle, 'being-written');
}

/** The slot holds a complete, verified update: one try, and the other slot stays behind it. */
export function onTrial(state: BootState, slot: Slot): BootState {
  return withWhy({ ...state, [slot]: 1, first: slot, trial: slot }, slot, null);
}

export type Verdict = 'proven' | 'up' | 'failed';

/**
 * What a box that runs `slot` makes of the state. `up`: it came up (enough for a slot that is not on trial);
 * `proven`: the work probe passed; `failed`: it did not within its time.
 * @returns the new state, and whether to restart into the other slot.
 */
export function judge(state: BootState, slot: Slot, verdict: Verdict, reason: string | null) {
  if (state.trial === slot) {
    if (verdict === 'up') return { state, restart: false };
    if (verdict === 'failed') {
      const back = { ...state, [slot]: 0, first: otherSlot(slot), trial: null };
      return { state: withWhy(back, slot, reason ?? 'work-probe'), restart: true };
    }
    return { state: withWhy({ ...state, [slot]: fullTries, first: slot, trial: null }, slot, null), restart: false };
  }
  // On trial was the other slot, and yet this one runs: the other did not even come up.
  const fallen = state.trial === null ? state : withWhy({ ...state, trial: null, first: slot }, state.trial, 'no-boot');
  if (verdict === 'failed') return { state: fallen, restart: false };
  return { state: { ...fallen, [slot]: fullTries, first: slot }, restart: false };
}

function withWhy(state: BootState, slot: Slot, why: string | null): BootState {
  const kept = slot === 'a' ? state.whyA : state.whyB;
  // A reason that is already there is nearer to the fault than "did not boot".
  const reason = why === 'no-boot' ? (kept ?? why) : why;
  return slot === 'a' ? { ...state, whyA: reason } : { ...state, whyB: reason };
}

export function sameState(left: BootState, right: BootState): boolean {
  return Buffer.from(encodeBootState(left)).equals(encodeBootState(right));
}
