/** The work of a portal besides its tunnel end: the provisioning service answers, and writes its database. */
import type { Proof } from './probe.ts';

/** Loopback, beside the metrics (provisioning/service/service.ts). */
const door = 'http://127.0.0.1:9464/health';
const patienceMs = 20_000;

export async function provePortal(url = door): Promise<Proof> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(patienceMs) });
    const said = (await response.text()).trim().slice(0, 300);
    if (response.status === 200) return { kind: 'portal', ok: true, detail: 'The provisioning service does its work' };
    return { kind: 'portal', ok: false, detail: `The provisioning service says: ${said}` };
  } catch (error) {
    const cause = (error as { cause?: { code?: string } }).cause?.code ?? (error as Error).name;
    return { kind: 'portal', ok: false, detail: `The provisioning service does not answer: ${cause}` };
  }
}
