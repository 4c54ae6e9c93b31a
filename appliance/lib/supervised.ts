import type { FromService } from './messages.ts';

/**
 * What every service does about the supervisor, whose messages come over Node's IPC channel. A supervisor may end first (killed, out of
 * memory): then neither what is said to it nor what is logged reaches anybody, and that must not keep a service from ending in good order.
 */

/** Says something, or says it to nobody: without a callback an error of the channel would end the process. */
export function tellSupervisor(message: FromService): void {
  process.send?.(message, undefined, undefined, () => {});
}

export interface Supervised<Message> {
  /** One at a time: what is asked after a configuration is about that configuration. */
  readonly receive: (message: Message) => Promise<void> | void;
  /** Without a supervisor nobody keeps us; the next one starts a service of its own. */
  readonly stop: () => Promise<void> | void;
}

/** Begins to listen, and says so. */
export function serveSupervisor<Message>({ receive, stop }: Supervised<Message>): void {
  process.stdout.on('error', () => {});
  process.stderr.on('error', () => {});
  let last = Promise.resolve();
  process.on('message', (message: Message) => {
    last = last.then(() => receive(message));
  });
  process.on('disconnect', () => void stop());
  tellSupervisor({ kind: 'started' });
}
