/** What a box may ask, after it has proven its key. */
import type { Request, Response } from 'express';
import type { z } from 'zod';
import { change } from '../facts/change.ts';
import { announceKey, enrolByCode, enrolByFactoryKey, promoteKey } from '../facts/enrolment.ts';
import { noteEvents } from '../facts/events.ts';
import { parseOrRefuse, refuse } from '../facts/refusal.ts';
import { liveReleases, releaseFor } from '../facts/rollout.ts';
import type { DeviceApiParts } from './app.ts';
import type { Caller } from './callers.ts';
import { callerOf } from './callers.ts';
import { enrolBody, keyBody, statusBody } from './messages.ts';

export interface Authorized extends DeviceApiParts {
  readonly publicKey: string;
  readonly caller: Caller;
}

interface Route {
  /** The caller need not be known: `caller` may then be missing. */
  readonly forStrangers?: true;
  /** Null: what comes as a body is not looked at. */
  readonly body: z.ZodType | null;
  answer(by: Authorized, request: Request, response: Response): Promise<'refused' | undefined>;
}

const longestWaitSeconds = 60;

export const deviceRoutes: Readonly<Record<string, Route>> = {
  'POST /enroll': { forStrangers: true, body: enrolBody, answer: enrol },
  'GET /config': { body: null, answer: config },
  'POST /status': { body: statusBody, answer: status },
  'GET /release': { body: null, answer: release },
  'POST /key': { body: keyBody, answer: key },
};

function bodyOf<T>(request: Request, schema: z.ZodType<T>): T {
  let value: unknown;
  try {
    value = JSON.parse((request.body as Buffer).toString('utf8'));
  } catch {
    return refuse('', 'expected a JSON body');
  }
  return parseOrRefuse(schema, value);
}

async function enrol(by: Authorized, request: Request, response: Response): Promise<'refused' | undefined> {
  const { code } = bodyOf(request, enrolBody);
  const { database, publicKey } = by;
  const now = by.now();
  const { result: device, revision } = await change(
    database,
    { author: 'enrolment', summary: 'a box enrolled', now },
    (edit) => (code === undefined ? enrolByFactoryKey(edit, publicKey) : enrolByCode(edit, code, publicKey)),
  );
  if (device === null) {
    by.log.info({ from: request.socket.remoteAddress }, 'enrolmentRefused');
    return 'refused';
  }
  if (revision !== null) {
    await noteEvents(database, [{ at: now, kind: 'enrolled', device, detail: `key ${publicKey}` }]);
  }
  response.json({ device });
  return undefined;
}

/** Answers for a caller that may not go on; true when it has. */
function turnedAway({ state, movedTo }: Caller, response: Response): boolean {
  if (state === 'revoked') response.status(403).json({ error: 'revoked' });
  else if (state === 'expected') response.status(403).json({ error: 'notEnrolled' });
  else if (movedTo !== 'null') response.status(421).json({ error: 'moved', ...JSON.parse(movedTo) });
  return state !== 'enrolled' || movedTo !== 'null';
}

/** The first call of an announced key makes it the one and only. */
async function settleKey(by: Authorized): Promise<void> {
  if (by.caller.keyState !== 'next') return;
  const { deviceId, device } = by.caller;
  const request = { author: `device ${device}`, summary: 'key rotated', now: by.now() };
  await change(by.database, request, (edit) => promoteKey(edit, deviceId, by.publicKey));
  await noteEvents(by.database, [{ at: by.now(), kind: 'keyRotated', device, detail: by.publicKey }]);
}

async function config(by: Authorized, request: Request, response: Response): Promise<undefined> {
  await settleKey(by);
  const has = /^"(\d{1,15})"$/.exec(request.get('if-none-match') ?? '')?.[1];
  const wait = Math.min(longestWaitSeconds, Math.max(0, Number(request.query.wait ?? 0) || 0));
  const gone = new AbortController();
  response.on('close', () => gone.abort());
  const until = by.now() + wait * 1000;
  for (;;) {
    const caller = await callerOf(by.database.queries, by.publicKey);
    if (!caller) return void response.status(403).json({ error: 'revoked' });
    if (turnedAway(caller, response)) return undefined;
    const row = await compiledOf(by, caller.deviceId);
    guide(by, response, row);
    if (has === undefined || Number(has) !== row.revision) return sendConfig(response, row);
    const left = until - by.now();
    if (left <= 0 || gone.signal.aborted) return void response.set('etag', `"${row.revision}"`).status(304).end();
    await by.waiting.wait(caller.deviceId, left, gone.signal);
  }
}

function compiledOf({ database }: Authorized, deviceId: number) {
  return database.queries
    .selectFrom('compiled')
    .innerJoin('portals', 'portals.id', 'compiled.portalId')
    .select(['deviceId', 'revision', 'fleetRevision', 'body', 'apiUrls'])
    .where('deviceId', '=', deviceId)
    .executeTakeFirstOrThrow();
}

/** Where to ask from now on, and how to hear that it is worth asking. */
function guide({ wakeDesk, now }: Authorized, response: Response, row: Awaited<ReturnType<typeof compiledOf>>): void {
  response.set('moat-api-urls', (JSON.parse(row.apiUrls) as string[]).join(' '));
  if (wakeDesk) response.set('moat-wake', wakeDesk.header(row.deviceId, row.fleetRevision, now()));
}

/** The body is the very file that `parseConfig` of the box reads. */
function sendConfig(response: Response, { revision, body }: { revision: number; body: string }): undefined {
  response.set('etag', `"${revision}"`).type('application/json');
  response.send(`{"revision":${revision},${body.slice(1)}`);
  return undefined;
}

async function status(by: Authorized, request: Request, response: Response): Promise<undefined> {
  const report = bodyOf(request, statusBody);
  if (turnedAway(by.caller, response)) return undefined;
  await settleKey(by);
  by.reports.add(by.caller.deviceId, by.caller.device, report, by.now());
  response.status(204).end();
  return undefined;
}

async function release(by: Authorized, _request: Request, response: Response): Promise<undefined> {
  if (turnedAway(by.caller, response)) return undefined;
  const { device, channel } = by.caller;
  const found = releaseFor(device, channel, await liveReleases(by.database.queries));
  if (!found) return void response.status(204).end();
  const { name, url, sha256, signature } = found;
  response.json({ release: name, url, sha256, signature });
  return undefined;
}

async function key(by: Authorized, request: Request, response: Response): Promise<undefined> {
  const { publicKey } = bodyOf(request, keyBody);
  if (turnedAway(by.caller, response)) return undefined;
  const { deviceId, device } = by.caller;
  const summary = { author: `device ${device}`, summary: 'announces a new key', now: by.now() };
  await change(by.database, summary, (edit) => announceKey(edit, deviceId, publicKey));
  response.status(204).end();
  return undefined;
}
