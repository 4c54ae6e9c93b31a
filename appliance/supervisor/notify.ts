/**
 * Talks to systemd where it started us. Node has no Unix datagrams, so systemd's own program does it: a fork at the start,
 * one at the end, and one for each half of the watchdog's time.
 */
import { execFile } from 'node:child_process';

function notify(...assignments: string[]): void {
  // Its failure must not matter: then systemd restarts us, which is what a watchdog is for.
  execFile('systemd-notify', assignments, { timeout: 5000 }, () => {});
}

/** Says that the start is over, and from then on that we live. Call what it returns when stopping. */
export function notifySystemd(environment: NodeJS.ProcessEnv): () => void {
  if (environment.NOTIFY_SOCKET === undefined) return () => {};
  notify('READY=1');
  const watchdogMs = Number(environment.WATCHDOG_USEC ?? 0) / 1000;
  const timer = watchdogMs > 0 ? setInterval(() => notify('WATCHDOG=1'), watchdogMs / 2) : undefined;
  timer?.unref();
  return () => {
    clearInterval(timer);
    notify('STOPPING=1');
  };
}
