/** Which release a box should run. A roll-out is a share of the channel that only grows, and stops by itself. */
import { createHash } from 'node:crypto';
import type { Queries } from '../db/database.ts';

export interface Release {
  readonly name: string;
  readonly channel: string;
  readonly url: string;
  readonly sha256: string;
  readonly signature: string;
  readonly state: string;
  readonly percent: number;
  readonly maxFailures: number;
}

/** 0 to 99, the same for ever: who is among the first 5 percent is also among the first 20. */
export function shareOf(device: string, release: string): number {
  const digest = createHash('sha256').update(`${release}\n${device}`).digest();
  return digest.readUInt32BE(0) % 100;
}

/** The newest that rolls in the device's channel and includes it; `releases` the newest first. */
export function releaseFor(device: string, channel: string, releases: readonly Release[]): Release | null {
  const fits = ({ name, state, percent, ...release }: Release) =>
    state === 'rolling' && release.channel === channel && shareOf(device, name) < percent;
  return releases.find(fits) ?? null;
}

export async function liveReleases(queries: Queries): Promise<Release[]> {
  return queries.selectFrom('releases').selectAll().where('archivedAt', 'is', null).orderBy('id', 'desc').execute();
}

/** Rolling releases with more failures than they may have. `reports`: JSON of the last status reports. */
export function failedReleases(releases: readonly Release[], reports: readonly string[]): Release[] {
  const failures = new Map<string, number>();
  for (const report of reports) {
    const { update } = JSON.parse(report) as { update?: { release: string; state: string } };
    if (update?.state === 'failed') failures.set(update.release, (failures.get(update.release) ?? 0) + 1);
  }
  return releases.filter(
    ({ name, state, maxFailures }) => state === 'rolling' && (failures.get(name) ?? 0) > maxFailures,
  );
}
