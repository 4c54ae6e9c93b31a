import { renameSync, writeFileSync } from 'node:fs';
import type { Patient } from '../supervisor/doctor/doctor.ts';
import { hardwareSentence, readInventory } from '../supervisor/inventory.ts';
import { metricsText } from '../supervisor/metrics.ts';
import { supportText } from '../supervisor/support.ts';
import { ask } from './control.ts';
import { diagnosisOf, textOf } from './doctor.ts';

export async function logsCommand(options: { state: string; service?: string }): Promise<void> {
  const lines = (await textOf(options.state, { kind: 'logs' })).split('\n').filter((line) => line !== '');
  const { service } = options;
  const wanted = service === undefined ? lines : lines.filter((line) => line.includes(`"service":"${service}"`));
  process.stdout.write(wanted.map((line) => `${line}\n`).join(''));
}

/** A file is replaced whole: who collects it never reads half of one. */
export async function metricsCommand(options: { state: string; out?: string }): Promise<void> {
  const text = metricsText(await ask(options.state, { kind: 'status' }));
  if (options.out === undefined) process.stdout.write(text);
  else {
    writeFileSync(`${options.out}.new`, text);
    renameSync(`${options.out}.new`, options.out);
  }
}

export async function supportCommand(options: { state: string }): Promise<void> {
  const { state } = options;
  const patient = await textOf(state, { kind: 'patient' });
  const diagnosis = await diagnosisOf(state, patient);
  const status = await ask(state, { kind: 'status' });
  const log = (await textOf(state, { kind: 'logs' })).split('\n');
  process.stdout.write(
    `${await supportText({ status, diagnosis, config: (JSON.parse(patient) as Patient).config, log })}\n`,
  );
}

export async function hardwareCommand(options: { json?: boolean }): Promise<void> {
  const inventory = await readInventory();
  process.stdout.write(`${options.json ? JSON.stringify(inventory) : hardwareSentence(inventory)}\n`);
}
