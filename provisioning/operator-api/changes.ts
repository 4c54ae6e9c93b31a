/** What operators change. Every route takes `preview`: the same answer, and nothing is saved. */
import { z } from 'zod';
import { shownDifferences } from '../compile/conceal.ts';
import { change, type Outcome } from '../facts/change.ts';
import type { Edit } from '../facts/edit.ts';
import { noteEvents } from '../facts/events.ts';
import { addRecord, archiveRecord, redirectDevice, revokeDevice, setRecord } from '../facts/fleet.ts';
import { kinds } from '../facts/kinds.ts';
import { type FactRecord, findRow } from '../facts/records.ts';
import { undoRevision } from '../facts/revisions.ts';
import { makeCode } from '../fleet/code.ts';
import { qrSvg } from '../fleet/qr.ts';
import { type Mailed, sendWelcome } from '../mail/welcome.ts';
import { importCsv, importLines } from '../transfer/import.ts';
import type { Asked, Route } from './routes.ts';
import { kindOf, wholeNumber } from './views.ts';

const preview = z.boolean().default(false);
const fields = z.record(z.string(), z.unknown());
const label = z.string().min(1).max(200);
const shownConfigurations = 20;

export const changeRoutes: readonly Route[] = [
  {
    method: 'POST',
    path: '/records/:kind',
    role: 'operator',
    body: z.strictObject({ record: fields, preview }),
    answer: (asked) => {
      const kind = kindOf(asked.params.kind).name;
      return performed(asked, `add ${kind}`, (to) => addRecord(to, kind, asked.body.record as FactRecord));
    },
  },
  {
    method: 'PATCH',
    path: '/records/:kind/:label',
    role: 'operator',
    body: z.strictObject({ patch: fields, preview }),
    answer: (asked) => {
      const kind = kindOf(asked.params.kind).name;
      const { label = '' } = asked.params;
      return performed(asked, `set ${kind} ${label}`, (to) =>
        setRecord(to, kind, label, asked.body.patch as FactRecord),
      );
    },
  },
  {
    method: 'DELETE',
    path: '/records/:kind/:label',
    role: 'operator',
    body: z.strictObject({ preview }),
    answer: (asked) => {
      const kind = kindOf(asked.params.kind).name;
      const { label = '' } = asked.params;
      return performed(asked, `archive ${kind} ${label}`, (to) => archiveRecord(to, kind, label));
    },
  },
  {
    method: 'POST',
    path: '/devices',
    role: 'operator',
    body: z.strictObject({
      customer: label,
      name: label,
      policy: label.optional(),
      note: z.string().max(2000).default(''),
      email: z.string().max(300).default(''),
      mail: z.boolean().default(false),
      preview,
    }),
    answer: addDevice,
  },
  {
    method: 'POST',
    path: '/devices/:name/code',
    role: 'operator',
    body: z.strictObject({ hours: z.int().min(1).max(8760).default(168), mail: z.boolean().default(false) }),
    answer: (asked) => newCode(asked, asked.params.name ?? ''),
  },
  {
    method: 'POST',
    path: '/devices/:name/revoke',
    role: 'operator',
    body: z.strictObject({ preview }),
    answer: async (asked) => {
      const { name = '' } = asked.params;
      const shown = await performed(asked, `revoke device ${name}`, (to) => revokeDevice(to, name));
      const event = { at: asked.now, kind: 'revoked', device: name, detail: `by ${asked.session.name}` } as const;
      if (!asked.body.preview) await noteEvents(asked.database, [event]);
      return shown;
    },
  },
  {
    method: 'POST',
    path: '/devices/:name/redirect',
    role: 'owner',
    body: z.strictObject({ to: fields.nullable(), preview }),
    answer: (asked) => {
      const { name = '' } = asked.params;
      return performed(asked, `redirect device ${name}`, (to) => redirectDevice(to, name, asked.body.to as never));
    },
  },
  {
    method: 'POST',
    path: '/import',
    bodyLimit: '32mb',
    role: 'operator',
    body: z.strictObject({ text: z.string().max(30_000_000), format: z.enum(['jsonl', 'csv']), preview }),
    answer: (asked) => {
      const read = asked.body.format === 'csv' ? importCsv : importLines;
      return performed(asked, 'import', (to) => read(to, String(asked.body.text), { existing: 'refuse' }));
    },
  },
  {
    method: 'POST',
    path: '/revisions/:id/undo',
    role: 'operator',
    body: z.strictObject({ preview }),
    answer: (asked) => {
      const revision = wholeNumber(asked.params.id);
      return performed(asked, `undo revision ${revision}`, (to) => undoRevision(to, revision));
    },
  },
];

async function performed<T>(asked: Asked, summary: string, work: (edit: Edit) => Promise<T>) {
  const { database, session, now, body } = asked;
  const request = { author: session.name, summary, now, preview: body.preview === true };
  return shown(await change(database, request, work));
}

/** What ships: every record, and the configurations that follow from it. */
function shown({ revision, changes, records, configurations }: Outcome<unknown>) {
  return {
    revision,
    recordCount: changes.length,
    records,
    configurationCount: configurations.length,
    configurations: configurations.slice(0, shownConfigurations).map(({ device, before, after, revision }) => ({
      device,
      revision,
      fields: shownDifferences(before === '' ? {} : JSON.parse(before), JSON.parse(after)),
    })),
  };
}

/** Customer, site, addresses, device and code in one step. */
async function addDevice(asked: Asked) {
  const { customer, name, policy, note, email, preview } = asked.body;
  const result = await performed(asked, `add device ${name}`, async (to) => {
    if (!(await findRow(to.tx, kinds.customer, String(customer)))) {
      await addRecord(to, 'customer', { name: customer, email });
    }
    await addRecord(to, 'device', { customer, name, note, ...(policy ? { policy } : {}) });
  });
  return preview ? result : { ...result, ...(await newCode(asked, String(name))) };
}

async function newCode(asked: Asked, device: string) {
  const { database, settings, now, body } = asked;
  const lifetimeSeconds = Number(body.hours ?? 168) * 3600;
  const made = await makeCode(database, { device, now, lifetimeSeconds });
  const notAsked: Mailed = { mailedTo: null, mailProblem: null };
  const mailed = body.mail ? await sendWelcome(database, settings, { device, ...made, now }) : notAsked;
  return { ...made, qr: qrSvg(made.token), ...mailed };
}
