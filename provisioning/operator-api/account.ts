/** What every operator may do for themselves: passkeys. */
import { z } from 'zod';
import { noteEvents } from '../facts/events.ts';
import { addPasskey, listPasskeys, registrationSchema, removePasskey } from './passkeys.ts';
import type { Asked, Route } from './routes.ts';
import { creationOptions } from './webauthn.ts';

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

async function challenge({ database, desk, party, session, settings, now }: Asked) {
  const own = await listPasskeys(database.queries, session.operatorId);
  const known = own.filter(({ rpId }) => rpId === party.rpId).map(({ id }) => id);
  const user = { id: `moat operator ${session.operatorId}`, name: session.name };
  return creationOptions(party, desk.challenge(now), { portal: settings.name, user, known });
}

async function add({ database, desk, party, session, body, now }: Asked) {
  const given = body as z.output<typeof registrationSchema>;
  await addPasskey(database, session.operatorId, desk.asking(party, now), given);
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
