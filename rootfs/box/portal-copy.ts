/**
 * A second place for what an enrolled box has of its portal (`appliance/supervisor/portal-files.ts`): the vault, which no damage of the
 * data partition reaches. At every start the files are copied into it, or come back from it when they are gone.
 */
import { readText, writeFileSafely } from './disk.ts';

const folder = '/var/lib/moat/state/portal';
/** A place of the vault is 256 KiB; JSON of JSON takes more than the text. */
const mostOctets = 100_000;
const names = ['identity.key', 'enrolment.json', 'moat.json'];

/** @returns what the vault is to hold from now on. */
export function keepPortal(kept: Readonly<Record<string, string>> | null): Readonly<Record<string, string>> | null {
  const found = names.flatMap((name) => {
    const text = readText(`${folder}/${name}`);
    return text === null || text === '' ? [] : [[name, text] as const];
  });
  const octets = found.reduce((sum, [, text]) => sum + text.length, 0);
  if (octets > mostOctets) return kept;
  // Key and enrolment belong together: half of them is none.
  if (found.length >= 2 && found.some(([name]) => name === 'enrolment.json')) return Object.fromEntries(found);
  for (const [name, text] of Object.entries(kept ?? {})) {
    if (names.includes(name)) writeFileSafely(`${folder}/${name}`, new Uint8Array(Buffer.from(text)));
  }
  return kept;
}
