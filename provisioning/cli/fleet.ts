import type { Command } from 'commander';
import { concealed } from '../compile/conceal.ts';
import type { Database } from '../db/database.ts';
import type { DeviceStatusRow } from '../db/tables.ts';
import type { StatusReport } from '../device-api/messages.ts';
import { addFactoryKey, redirectDevice, revokeDevice } from '../facts/fleet.ts';
import { kinds } from '../facts/kinds.ts';
import { rowNamed, toRecords } from '../facts/records.ts';
import { refuse } from '../facts/refusal.ts';
import { rolloutProgress, updateOf, updateSentence } from '../facts/rollout.ts';
import { makeCode } from '../fleet/code.ts';
import { fleetPage, fleetSummary } from '../fleet/page.ts';
import { qrText } from '../fleet/qr.ts';
import { sendWelcome } from '../mail/welcome.ts';
import { type Context, changeAndShow, contextOf } from './context.ts';
import { wholeNumber } from './history.ts';
import { fieldList, show, table, time } from './output.ts';

export function fleetCommands(program: Command): void {
  const device = program.commands.find((command) => command.name() === 'device') as Command;
  device
    .command('revoke')
    .argument('<name>')
    .description('its key opens nothing from now on; portals close its tunnel at once')
    .action(async (name: string, _, command: Command) => {
      await changeAndShow(contextOf(command), `revoke device ${name}`, (to) => revokeDevice(to, name));
    });
  device
    .command('factory-key')
    .argument('<name>')
    .argument('<public-key>', 'base64, as `moat keygen` prints it')
    .description('let a box enrol without a code, by the key that the factory put in')
    .action(async (name: string, key: string, _, command: Command) => {
      await changeAndShow(contextOf(command), `factory key of ${name}`, (to) => addFactoryKey(to, name, key));
    });
  redirectCommand(device);
  progressCommand(program.commands.find((command) => command.name() === 'release') as Command);
  enrolCodeCommand(program);
  showCommand(program);
}

function redirectCommand(device: Command): void {
  device
    .command('redirect')
    .argument('[name...]')
    .description('send boxes to another portal on their next call')
    .option('--all', 'every device in use')
    .option('--to <url...>', "the other portal's device API")
    .option('--key <public-key>', "the other portal's API key: `portal init` and `portal show` tell it")
    .option('--back', 'take the redirect back')
    .option('--preview', 'show what would change, and change nothing')
    .action(async (names: string[], options: Record<string, unknown>, command: Command) => {
      if (!options.back && (!options.to || !options.key)) refuse('to', 'expected --to URL and --key KEY, or --back');
      const to = options.back ? null : { apiUrls: options.to as string[], apiKey: String(options.key) };
      await changeAndShow(contextOf(command), 'redirect devices', async (edit) => {
        const all = edit.tx.selectFrom('devices').select('name').where('archivedAt', 'is', null);
        const which = options.all ? (await all.execute()).map(({ name }) => name) : names;
        for (const name of which) await redirectDevice(edit, name, to);
      });
    });
}

function progressCommand(release: Command): void {
  release
    .command('progress')
    .argument('<name>')
    .description('how far a roll-out is, and which boxes went back and why')
    .action(async (name: string, _, command: Command) => {
      const { output, withDatabase } = contextOf(command);
      await withDatabase(async ({ queries }) => {
        const progress = await rolloutProgress(queries, name);
        const { failed, ...counts } = progress;
        const why = failed.length > 0 ? `\n${table(failed)}` : '';
        show(output, progress, `${fieldList({ ...counts, failed: failed.length })}${why}`);
      });
    });
}

function enrolCodeCommand(program: Command): void {
  program
    .command('enroll-code')
    .argument('<device>')
    .description('a one-time code for a box; earlier codes of the device end')
    .option('--hours <count>', 'for how many hours it is good', '168')
    .option('--mail', "send it to the customer's address with instructions")
    .option('--no-qr', 'without the QR code')
    .action(async (device: string, options: { hours: string; mail?: boolean; qr: boolean }, command: Command) => {
      const context = contextOf(command);
      await context.withDatabase(async (database) => {
        const lifetimeSeconds = wholeNumber(options.hours, 'hours') * 3600;
        const made = await makeCode(database, { device, now: Date.now(), lifetimeSeconds });
        const welcome = { device, ...made, now: Date.now() };
        const mailed = options.mail ? await sendWelcome(database, context.settings(), welcome) : null;
        const qr = options.qr ? `${qrText(made.token)}\n` : '';
        const went = mailed?.mailedTo ? `mailed to ${mailed.mailedTo}\n` : '';
        const text = `${qr}moat enroll ${made.token}\ngood until ${time(made.expiresAt)} UTC, once\n${went}`;
        show(context.output, { ...made, ...mailed }, text);
        if (mailed?.mailProblem) refuse('mail', `the code is good, but was not mailed: ${mailed.mailProblem}`);
      });
    });
}

function showCommand(program: Command): void {
  program
    .command('show')
    .argument('[device]')
    .description('the fleet at a glance, or one device with its configuration')
    .option('--config', 'the configuration alone')
    .option('--secrets', 'with its secrets, as the box gets it')
    .action(async (name: string | undefined, options: { config?: boolean; secrets?: boolean }, command: Command) => {
      const context = contextOf(command);
      await context.withDatabase(async (database) => {
        if (name === undefined) await showFleet(context, database);
        else await showDevice(context, database, name, options);
      });
    });
}

async function showFleet({ output }: Context, { queries }: Database): Promise<void> {
  const now = Date.now();
  const summary = await fleetSummary(queries, now);
  const { devices } = await fleetPage(queries, { now, limit: 200, search: '', health: '', after: '' });
  const rows = devices.map(({ name, customer, health, version, update, why }) => ({
    device: name,
    customer,
    health,
    version,
    update: update === '' ? undefined : update,
    why,
  }));
  show(output, { summary, devices }, `${fieldList(summary)}\n${table(rows)}`);
}

async function showDevice(
  { output }: Context,
  { queries }: Database,
  name: string,
  options: { config?: boolean; secrets?: boolean },
): Promise<void> {
  const row = await rowNamed(queries, kinds.device, name);
  const compiled = await queries.selectFrom('compiled').selectAll().where('deviceId', '=', row.id).executeTakeFirst();
  const whole = { revision: compiled?.revision ?? 0, ...JSON.parse(compiled?.body ?? '{}') };
  const body = options.secrets ? whole : concealed(whole);
  if (options.config) return output.write(`${JSON.stringify(body, null, 2)}\n`);
  const [record = {}] = await toRecords(queries, kinds.device, [row]);
  const status = await queries.selectFrom('deviceStatus').selectAll().where('deviceId', '=', row.id).executeTakeFirst();
  const text = `${fieldList(record)}\n${status ? fieldList(statusFields(status)) : 'never seen\n'}`;
  const told = status ? { ...status, report: JSON.parse(status.report) } : null;
  show(output, { ...record, status: told, configuration: body }, text);
}

/** The last report, a fact a line. */
function statusFields({ report, seenAt, health, version, appliedRevision, confirmedRevision }: DeviceStatusRow) {
  const { doctor, hardware, refused, tunnel } = JSON.parse(report) as StatusReport;
  return {
    lastReport: `${time(seenAt)} UTC`,
    health,
    doctor,
    version,
    hardware,
    update: updateSentence(updateOf(report)),
    configuration: `revision ${appliedRevision} in force, ${confirmedRevision} confirmed`,
    refused:
      refused &&
      `revision ${refused.revision}${refused.rolledBack ? ', tried and taken back' : ''}: ${refused.problem}`,
    tunnel:
      tunnel &&
      `loss ${tunnel.lossPermille / 10} %, round trip ${Math.round(tunnel.roundTripMs)} ms, in ${Math.round(tunnel.receivedKbps)} kbit/s, out ${Math.round(tunnel.sentKbps)} kbit/s`,
  };
}
