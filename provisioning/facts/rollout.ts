/** Which release a box should run. A roll-out is a share of the channel that only grows, and stops by itself. */
import { createHash } from 'node:crypto';
import type { Queries } from '../db/database.ts';
import { refuse } from './refusal.ts';

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
function shareOf(device: string, release: string): number {
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

interface Update {
  readonly release: string;
  readonly state: 'downloading' | 'installed' | 'failed';
  readonly problem: string;
}

export interface RolloutProgress {
  /** Boxes in use of the release's channel, those among them that it is offered to, and what came of it there. */
  readonly channel: number;
  readonly offered: number;
  readonly downloading: number;
  readonly installed: number;
  /** They went back to what they had; the sentence is the box's own. */
  readonly failed: readonly { readonly device: string; readonly problem: string }[];
}

/** @throws {Refusal} when there is no such release. */
export async function rolloutProgress(queries: Queries, name: string): Promise<RolloutProgress> {
  const release = (await liveReleases(queries)).find((one) => one.name === name);
  if (!release) return refuse('name', `there is no release '${name}'`, 'missing');
  const boxes = await queries
    .selectFrom('devices')
    .leftJoin('deviceStatus', 'deviceStatus.deviceId', 'devices.id')
    .select(['devices.name', 'deviceStatus.report', 'deviceStatus.version'])
    .where('devices.archivedAt', 'is', null)
    .where('devices.state', '=', 'enrolled')
    .where('channel', '=', release.channel)
    .orderBy('devices.name')
    .execute();
  const offered = boxes.filter((box) => shareOf(box.name, name) < release.percent);
  const said = boxes.flatMap(({ name: device, report, version }) => {
    const update = updateOf(report);
    if (update?.release === name) return [{ device, ...update }];
    return version === name ? [{ device, state: 'installed', problem: '' }] : [];
  });
  const count = (state: string) => said.filter((one) => one.state === state).length;
  return {
    channel: boxes.length,
    offered: offered.length,
    downloading: count('downloading'),
    installed: count('installed'),
    failed: said.filter(({ state }) => state === 'failed').map(({ device, problem }) => ({ device, problem })),
  };
}

/** `report`: JSON of a status report. */
export function updateOf(report: string | null): Update | undefined {
  return report === null ? undefined : (JSON.parse(report) as { update?: Update }).update;
}

/** A few words for people; empty when nothing is under way and nothing went wrong. */
export function updateSentence(update: Update | undefined): string {
  if (!update) return '';
  const { release, state, problem } = update;
  if (state === 'failed') return `${release} does not run here${problem ? `: ${problem}` : '.'}`;
  return state === 'downloading' ? `${release} is being installed.` : `${release} is installed.`;
}

/** Rolling releases with more failures than they may have. `reports`: JSON of the last status reports. */
export function failedReleases(releases: readonly Release[], reports: readonly string[]): Release[] {
  const failures = new Map<string, number>();
  for (const report of reports) {
    const update = updateOf(report);
    if (update?.state === 'failed') failures.set(update.release, (failures.get(update.release) ?? 0) + 1);
  }
  return releases.filter(
    ({ name, state, maxFailures }) => state === 'rolling' && (failures.get(name) ?? 0) > maxFailures,
  );
}
