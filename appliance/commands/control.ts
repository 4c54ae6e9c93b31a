import { askControl, type ControlRequest } from '../supervisor/control.ts';
import type { ApplianceStatus } from '../supervisor/status.ts';

/** @throws {Error} with the sentence of a refusal, or when moat does not run. */
export async function ask(state: string, request: ControlRequest): Promise<ApplianceStatus> {
  const answer = await askControl(state, request);
  if (!answer.ok) throw Object.assign(new Error(answer.problem), { exitCode: 1 });
  return answer.status;
}

export async function rekeyCommand(what: string, options: { state: string; peer?: string }): Promise<void> {
  if (what !== 'child' && what !== 'ike') throw new Error(`'${what}' cannot be rekeyed: expected child or ike`);
  const status = await ask(options.state, { kind: 'status' });
  const names = status.tunnel?.peers.map(({ name }) => name) ?? [];
  if (options.peer !== undefined && !names.includes(options.peer)) {
    throw new Error(`there is no peer '${options.peer}': the configuration has ${names.join(', ') || 'none'}`);
  }
  await ask(options.state, { kind: 'rekey', what, peer: options.peer ?? null });
}

export async function reloadCommand(options: { state: string }): Promise<void> {
  await ask(options.state, { kind: 'reload' });
}
