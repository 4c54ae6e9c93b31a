/** What the last starts had to mend: /run/moat/recovery.json for this start, /var/lib/moat/reports for the last ones. */
import { readdirSync, rmSync, writeFileSync } from 'node:fs';
import type { DataReport } from './data-partition.ts';
import { readText, writeFileSafely } from './disk.ts';
import type { Place } from './vault.ts';

export interface Recovery {
  readonly data: DataReport;
  readonly damagedCopies: readonly Place[];
  readonly madeKey: boolean;
  /** What is wrong with moat.toml; null when it is in force. */
  readonly configuration: string | null;
}

const folder = '/var/lib/moat/reports';
/** Reports kept on flash; the oldest goes. */
const mostReports = 20;

export function writeReport(recovery: Recovery): void {
  writeFileSync('/run/moat/recovery.json', JSON.stringify(recovery));
  const isNews = recovery.data.result !== 'clean' || recovery.damagedCopies.length > 0 || recovery.madeKey;
  if (isNews) keepReport('recovery', recovery);
}

/** Never fails: a report that cannot be written must not stop the box. */
export function keepReport(kind: string, what: object): void {
  try {
    const names = readdirNames();
    for (const name of names.slice(0, Math.max(0, names.length - mostReports + 1)))
      rmSync(`${folder}/${name}`, { force: true });
    const number = Number(names.at(-1)?.slice(0, 6) ?? 0) + 1;
    const bootId = readText('/proc/sys/kernel/random/boot_id')?.trim() ?? '';
    const text = JSON.stringify({ kind, bootId, clock: new Date().toISOString(), ...what });
    writeFileSafely(`${folder}/${String(number).padStart(6, '0')}-${kind}.json`, new Uint8Array(Buffer.from(text)));
  } catch (error) {
    console.error(`moat: a report cannot be kept: ${(error as Error).message}`);
  }
}

function readdirNames(): string[] {
  try {
    return readdirSync(folder)
      .filter((name) => /^\d{6}-[a-z]+\.json$/.test(name))
      .sort();
  } catch {
    return [];
  }
}

/** Oldest first, as they were written; null for what cannot be read. */
export function readReports(): (string | null)[] {
  return readdirNames().map((name) => readText(`${folder}/${name}`));
}
