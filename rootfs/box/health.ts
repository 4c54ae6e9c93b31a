/**
 * Watches a start until its end is known: the box came up, the box does its work, or an update on trial failed within its
 * time and the other slot is booted. Then this process ends; the supervisor watches the tunnel from there on.
 */
import { existsSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { askControl } from '../../appliance/supervisor/control.ts';
import { judge, sameState, type Verdict } from './boot-state.ts';
import { mustRun, readBootState, readText, readVault, runningSlot, writeBootState, writeVault } from './disk.ts';
import { keepPortal } from './portal-copy.ts';
import { provePortal } from './portal-probe.ts';
import { type Facts, judgeWork, type Page, type Proof } from './probe.ts';
import { concludeUpdate } from './release.ts';
import { keepReport } from './report.ts';
import type { BoxSettings } from './seed.ts';
import { runningSide } from './side.ts';

const stateFolder = '/var/lib/moat/state';
const configFolder = '/run/moat/config';
/** After power on: with the restart before it, an update that does not work is gone within five minutes. */
const trialUntilSeconds = 240;
/** But no less than this from here on, should the start itself have been slow. */
const leastTrialSeconds = 90;
const pollMs = 2000;
const pageTimeoutMs = 20_000;

async function main(): Promise<void> {
  const slot = runningSlot();
  const before = readBootState();
  const isTrial = before.trial === slot;
  if (!isTrial && before.trial !== null) reportFailedUpdate();
  conclude('up', null);
  const box = JSON.parse(readText(`${configFolder}/box.json`) ?? '{}') as BoxSettings;
  const trialMs = Math.max(trialUntilSeconds - uptimeSeconds(), leastTrialSeconds) * 1000;
  for (;;) {
    const work = judgeWork(await facts(box, isTrial), box);
    if (work.ok) return succeeded(isTrial);
    if (isTrial && performance.now() > trialMs) return failed(work.reason, work.sentence);
    await pause(pollMs);
  }
}

/** @returns whether the box is to restart. */
function conclude(verdict: Verdict, reason: string | null): boolean {
  const state = readBootState();
  const { state: next, restart } = judge(state, runningSlot(), verdict, reason);
  if (!sameState(state, next)) writeBootState(next);
  return restart;
}

function succeeded(isTrial: boolean): void {
  conclude('proven', null);
  const text = readText(`${configFolder}/source.toml`);
  const { vault } = readVault();
  writeVault({ ...vault, lastGood: text ?? vault.lastGood, portal: keepPortal(vault.portal) });
  if (isTrial) {
    keepReport('update', { result: 'committed', slot: runningSlot() });
    concludeUpdate('installed', '');
  }
  console.log(
    `moat: works in slot ${runningSlot()} at ${uptimeSeconds().toFixed(0)} s${isTrial ? ', update committed' : ''}`,
  );
}

function failed(reason: string, sentence: string): void {
  console.log(`moat: the update does not work (${sentence}), going back`);
  keepReport('update', { result: 'rolled back', slot: runningSlot(), reason, sentence });
  concludeUpdate('failed', sentence);
  if (conclude('failed', reason)) mustRun('systemctl', ['reboot']);
}

function reportFailedUpdate(): void {
  const sentence = 'The new version did not come up.';
  keepReport('update', { result: 'rolled back', reason: 'no-boot', sentence });
  concludeUpdate('failed', sentence);
}

async function facts(box: BoxSettings, isTrial: boolean): Promise<Facts> {
  const status = await askControl(stateFolder, { kind: 'status' }).catch(() => null);
  if (status === null || !status.ok) return { state: null, sentence: '', page: null, proofs: [] };
  const { state, sentence } = status.status;
  const proofs = state === 'up' ? await proofsOf(isTrial) : [];
  const page = state === 'up' && box.probe !== undefined ? await fetchPage(box.probe) : null;
  return { state, sentence, page, proofs };
}

/** A portal has no tunnel of its own to prove: its ports are open when the supervisor says `up`; what else it is, it proves always. */
async function proofsOf(isTrial: boolean): Promise<Proof[]> {
  if (runningSide() === 'portal') return [await provePortal()];
  return isTrial ? prove() : [];
}

/** Only an update has to: loading the schema is half of this program's work, and a start without news need not prove a size. */
async function prove(): Promise<Proof[]> {
  const [{ loadConfig }, { nameProof, pingProof, proofTargets }] = await Promise.all([
    import('../../appliance/config/files.ts'),
    import('../../appliance/supervisor/proof.ts'),
  ]);
  const enrolled = `${stateFolder}/portal/moat.json`;
  const { config } = loadConfig(existsSync(enrolled) ? enrolled : `${configFolder}/moat.json`);
  const pings = proofTargets(config).map(async (target) => ({
    kind: 'ping' as const,
    ...(await pingProof(config, target)),
  }));
  const names = config.proof.names.map(async (name) => ({ kind: 'name' as const, ...(await nameProof(config, name)) }));
  return Promise.all([...pings, ...names]);
}

async function fetchPage(url: string): Promise<Page> {
  const started = performance.now();
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(pageTimeoutMs), redirect: 'manual' });
    const octets = (await response.arrayBuffer()).byteLength;
    return { status: response.status, octets, seconds: (performance.now() - started) / 1000, error: '' };
  } catch (error) {
    const cause = (error as { cause?: { code?: string } }).cause?.code;
    return { status: 0, octets: 0, seconds: 0, error: cause ?? (error as Error).name };
  }
}

function uptimeSeconds(): number {
  return Number(readText('/proc/uptime')?.split(' ')[0] ?? 0);
}

await main();
