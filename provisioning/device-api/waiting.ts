/** Boxes whose question "anything new?" is held open until there is. */
export class Waiting {
  readonly #wakes = new Map<number, Set<() => void>>();

  get size(): number {
    return this.#wakes.size;
  }

  /** Resolves when `wake` is called for the device, or after the time; the signal is the end of the connection. */
  wait(deviceId: number, milliseconds: number, gone: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const set = this.#wakes.get(deviceId) ?? new Set();
      const done = () => {
        clearTimeout(timer);
        gone.removeEventListener('abort', done);
        set.delete(done);
        if (set.size === 0) this.#wakes.delete(deviceId);
        resolve();
      };
      const timer = setTimeout(done, milliseconds);
      gone.addEventListener('abort', done);
      set.add(done);
      this.#wakes.set(deviceId, set);
    });
  }

  wake(deviceIds: Iterable<number>): void {
    for (const id of deviceIds) for (const done of [...(this.#wakes.get(id) ?? [])]) done();
  }

  wakeAll(): void {
    this.wake([...this.#wakes.keys()]);
  }
}
