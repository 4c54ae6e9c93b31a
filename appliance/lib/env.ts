/** What a pure core may know of the outside: both are arguments, so a test can replay a run exactly. */
export interface Env {
  /** Milliseconds on a clock that never goes backwards. Not the time of day. */
  readonly now: number;
  /** `length` octets, unpredictable in production, from a seed in the simulation. */
  random(length: number): Uint8Array;
}
