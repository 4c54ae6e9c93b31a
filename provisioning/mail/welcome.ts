/** The welcome mail: what to do with the box, with the enrolment material. By SMTP, or into a folder. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createTransport } from 'nodemailer';
import type { Database } from '../db/database.ts';
import { noteEvents } from '../facts/events.ts';
import { refuse } from '../facts/refusal.ts';
import { qrSvg } from '../fleet/qr.ts';
import { inFolder, type PortalSettings } from '../settings/settings.ts';

export interface Welcome {
  readonly device: string;
  readonly token: string;
  readonly expiresAt: number;
  readonly now: number;
}

/** Where it went (an address, or the path of a file), or why it did not. */
export interface Mailed {
  readonly mailedTo: string | null;
  readonly mailProblem: string | null;
}

const ownTemplates = join(import.meta.dirname, 'templates');
const patienceMs = 15_000;

/** Never throws for the mail's sake: the code that it would have told has been made, and somebody is waiting to see it. */
export async function sendWelcome(database: Database, settings: PortalSettings, welcome: Welcome): Promise<Mailed> {
  const { device, now } = welcome;
  try {
    const { to, mail } = await welcomeMail(database, settings, welcome);
    const mailedTo = await deliver(settings, mail, `${now}-${device}.eml`);
    await noteEvents(database, [{ at: now, kind: 'mailSent', device, detail: `welcome mail to ${to}` }]);
    return { mailedTo, mailProblem: null };
  } catch (error) {
    const mailProblem = (error as Error).message;
    await noteEvents(database, [{ at: now, kind: 'mailFailed', device, detail: mailProblem }]);
    return { mailedTo: null, mailProblem };
  }
}

/** @throws {Refusal} when the customer has no address. */
async function welcomeMail(database: Database, settings: PortalSettings, { device, token, expiresAt }: Welcome) {
  const customer = await database.queries
    .selectFrom('devices')
    .innerJoin('sites', 'sites.id', 'devices.siteId')
    .innerJoin('customers', 'customers.id', 'sites.customerId')
    .select(['customers.name', 'customers.email'])
    .where('devices.name', '=', device)
    .executeTakeFirstOrThrow();
  if (customer.email === '') refuse('email', `customer '${customer.name}' has no e-mail address`);
  const until = new Date(expiresAt).toISOString().slice(0, 10);
  const values = { customer: customer.name, device, token, until };
  const mail = {
    from: settings.mail.from,
    to: customer.email,
    subject: oneLine(fill(template(settings, 'welcome.subject.txt'), values)),
    text: fill(template(settings, 'welcome.txt'), values),
    attachments: [
      { filename: 'moat-enroll.txt', content: `${token}\n` },
      { filename: 'moat-enroll.svg', content: qrSvg(token) },
    ],
  };
  return { to: customer.email, mail };
}

type Mail = Parameters<ReturnType<typeof createTransport>['sendMail']>[0];

async function deliver(settings: PortalSettings, mail: Mail, fileName: string): Promise<string> {
  const { smtp } = settings.mail;
  if (smtp !== undefined) {
    const patience = { connectionTimeout: patienceMs, greetingTimeout: patienceMs, socketTimeout: patienceMs };
    await createTransport({ url: smtp, ...patience }).sendMail(mail);
    return String(mail.to);
  }
  const folder = inFolder(settings, settings.mail.folder);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const sent = await createTransport({ streamTransport: true, buffer: true }).sendMail(mail);
  const path = join(folder, fileName);
  writeFileSync(path, sent.message as Buffer, { mode: 0o600 });
  return path;
}

function template(settings: PortalSettings, name: string): string {
  const own = settings.mail.templates;
  if (own !== undefined) {
    try {
      return readFileSync(join(inFolder(settings, own), name), 'utf8');
    } catch {
      // A folder may hold only the template that differs.
    }
  }
  return readFileSync(join(ownTemplates, name), 'utf8');
}

/** `{{name}}`; one that is not known stays, so that a typing error is seen. */
export function fill(text: string, values: Readonly<Record<string, string>>): string {
  return text.replace(/\{\{(\w+)\}\}/g, (whole, name: string) =>
    Object.hasOwn(values, name) ? (values[name] ?? '') : whole,
  );
}

function oneLine(text: string): string {
  return text.replace(/[\r\n]+/g, ' ').trim();
}
