import { askControl, type ControlRequest } from '../supervisor/control.ts';
import { examine, type Patient } from '../supervisor/doctor/doctor.ts';
import type { Diagnosis } from '../supervisor/doctor/facts.ts';
import { ask } from './control.ts';

/** Exits with 0 when all is well, 1 when a layer is at fault. */
export async function doctorCommand(options: { state: string; json?: boolean }): Promise<void> {
  const diagnosis = await diagnosisOf(options.state, await textOf(options.state, { kind: 'patient' }));
  process.stdout.write(options.json ? `${JSON.stringify(diagnosis, null, 2)}\n` : diagnosisText(diagnosis));
  process.exitCode = diagnosis.layer === 'none' ? 0 : 1;
}

export function diagnosisOf(state: string, patient: string): Promise<Diagnosis> {
  return examine(JSON.parse(patient) as Patient, {
    status: () => ask(state, { kind: 'status' }),
    rekey: () => ask(state, { kind: 'rekey', what: 'child', peer: null }),
  });
}

/** @throws {Error} with the sentence of a refusal, or when moat does not run. */
export async function textOf(state: string, request: ControlRequest): Promise<string> {
  const answer = await askControl(state, request);
  if (!answer.ok) throw new Error(answer.problem);
  return answer.text ?? '';
}

function diagnosisText({ sentence, further, evidence }: Diagnosis): string {
  const also = further.map((finding) => `Also: ${finding.sentence}`);
  return `${[...evidence, '', sentence, ...also].join('\n')}\n`;
}
