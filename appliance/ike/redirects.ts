/** RFC 5685 3: a client that is sent from gateway to gateway stops following. */
const mostRedirects = 5;
const loopMilliseconds = 300_000;

export class Redirects {
  readonly #followed = new Map<string, readonly number[]>();

  /** Whether the peer may send us elsewhere once more; counts it if so. */
  allows(peer: string, now: number): boolean {
    const recent = (this.#followed.get(peer) ?? []).filter((at) => at > now - loopMilliseconds);
    if (recent.length >= mostRedirects) return false;
    this.#followed.set(peer, [...recent, now]);
    return true;
  }

  forget(peer: string): void {
    this.#followed.delete(peer);
  }
}
