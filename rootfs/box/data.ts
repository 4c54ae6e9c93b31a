/** What to do with the data partition: the decisions of `prepare.ts`, without doing anything. */

export type DataStep = 'mount' | 'mountRepaired' | 'repair' | 'restore';

/** e2fsck(8): 0 clean, 1 errors corrected, 2 corrected and a restart wanted (of a mounted root only), 4 and more: not. */
export function afterCheck(exitCode: number, thorough: boolean): DataStep {
  if (exitCode === 0) return 'mount';
  if (exitCode === 1 || exitCode === 2) return 'mountRepaired';
  return thorough ? 'restore' : 'repair';
}

export interface Space {
  readonly freeOctets: number;
  readonly freeNodes: number;
}

/** Below this the services could not even write their leases and reports. */
const leastOctets = 8 * 1024 * 1024;
const leastNodes = 256;

export function isFull({ freeOctets, freeNodes }: Space): boolean {
  return freeOctets < leastOctets || freeNodes < leastNodes;
}

/** Folders of the data partition that may be emptied when it is full: everything that can be made again. */
export const disposable = ['log', 'cache', 'tmp', 'spool', 'crash', 'lost+found', 'lib/systemd/coredump'] as const;

/** Largest file that is carried over a restore; state files of the services are far smaller. */
export const salvageFileOctets = 8 * 1024 * 1024;
/** And all of them together: a filled partition must not fill the memory. */
export const salvageTotalOctets = 24 * 1024 * 1024;

/** Whether a file below /var/lib/moat has a name that a service writes: nothing else is even read. */
export function isOfService(path: string): boolean {
  if (/(^|\/)(confirmed|previous|candidate|rejected)$/.test(path)) return true;
  // All but ssh's keys are read by who checks them: configurations, journal, zones and vault have checksums, revocation lists a signature.
  return /\.(json|rec|journal|zone|crl)$/.test(path) || /(^|\/)ssh\/[A-Za-z0-9_.-]+$/.test(path);
}

/** Whether such a file is worth carrying over: it can be read. */
export function isWorthSalvaging(path: string, bytes: Uint8Array): boolean {
  return path.endsWith('.json') ? isJson(bytes) : bytes.length > 0;
}

function isJson(bytes: Uint8Array): boolean {
  try {
    JSON.parse(Buffer.from(bytes).toString('utf8'));
    return true;
  } catch {
    return false;
  }
}
