import { z } from 'zod';
import { noteEvents } from '../facts/events.ts';
import { qrSvg } from '../fleet/qr.ts';
import { addOperator, listOperators, operatorSchema, removeOperator } from './operators.ts';
import { otpauthUri } from './passwords.ts';
import type { Asked, Route } from './routes.ts';

export const operatorRoutes: readonly Route[] = [
  { method: 'GET', path: '/operators', role: 'owner', answer: ({ database }) => listOperators(database.queries) },
  { method: 'POST', path: '/operators', role: 'owner', body: operatorSchema, answer: add },
  { method: 'DELETE', path: '/operators/:name', role: 'owner', body: z.strictObject({}), answer: remove },
];

async function add({ database, settings, session, body, now }: Asked) {
  const made = await addOperator(database, body, now);
  const detail = `${session.name} added operator ${made.name} (${made.role})`;
  await noteEvents(database, [{ at: now, kind: 'operatorsChanged', device: '', detail }]);
  const otpauth = otpauthUri(settings.name, made.name, made.totpSecret);
  return { ...made, otpauth, qr: qrSvg(otpauth) };
}

async function remove({ database, session, params, now }: Asked) {
  const { name = '' } = params;
  await removeOperator(database, name);
  const detail = `${session.name} removed operator ${name}`;
  await noteEvents(database, [{ at: now, kind: 'operatorsChanged', device: '', detail }]);
  return {};
}
