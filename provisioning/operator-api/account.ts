/** What every operator may do for themselves: passkeys. */
import { z } from 'zod';
import { noteEvents } from '../facts/events.ts';
import { refuse } from '../facts/refusal.ts';
import { addPasskey, listPasskeys, registrationSchema, removePasskey } from './passkeys.ts';
import type { Asked, Route } from './routes.ts';

export const accountRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: '/passkeys',
    role: 'viewer',
    answer: ({ database, session }) => listPasskeys(database.queries, session.operatorId),
  },
  { method: 'POST', path: '/passkeys/challenge', role: 'viewer', body: z.strictObject({}), answer: challenge },
  { method: 'POST', path: '/passkeys', role: 'viewer', body: registrationSchema, answer: add },
  { method: 'DELETE', path: '/passkeys/:id', role: 'viewer', body: z.strictObject({}), answer: remove },
];

/** All that the browser needs to make one. `known`: those that this operator has, so that none is made twice. */
async function challenge({ database, desk, party, session, settings, now }: Asked) {
  const known = await listPasskeys(database.queries, session.operatorId);
  const { rpId } = party;
  return {
    challenge: desk.challenge(now),
    rpId,
    portal: settings.name,
    user: { id: `moat operator ${session.operatorId}`, name: session.name },
    known: known.filter((one) => one.rpId === rpId).map(({ id }) => id),
  };
}

async function add({ database, desk, party, session, body, now }: Asked) {
  const given = body as z.output<typeof registrationSchema>;
  if (!desk.isGood(given.challenge, now)) refuse('challenge', 'is not one of ours, or too old: try again');
  await addPasskey(database, session.operatorId, { party, now }, given);
  desk.spend(given.challenge, now);
  await note({ database, session, now }, `added the passkey '${given.name}'`);
  return {};
}

async function remove({ database, session, params, now }: Asked) {
  await removePasskey(database, session.operatorId, params.id ?? '');
  await note({ database, session, now }, 'removed a passkey');
  return {};
}

function note({ database, session, now }: Pick<Asked, 'database' | 'session' | 'now'>, what: string): Promise<void> {
  return noteEvents(database, [{ at: now, kind: 'operatorsChanged', device: '', detail: `${session.name} ${what}` }]);
}
