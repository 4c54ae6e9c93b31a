import type { Command } from 'commander';
import { listEvents } from '../facts/events.ts';
import { purge } from '../facts/purge.ts';
import { refuse } from '../facts/refusal.ts';
import { listRevisions, revisionDifferences, undoRevision } from '../facts/revisions.ts';
import { changeAndShow, contextOf, recordText } from './context.ts';
import { show, table, time } from './output.ts';

export function historyCommands(program: Command): void {
  program
    .command('log')
    .description('the revisions, the newest first')
    .option('--limit <count>', 'how many of them', '20')
    .action(async ({ limit }: { limit: string }, command: Command) => {
      const { output, withDatabase } = contextOf(command);
      await withDatabase(async ({ queries }) => {
        const revisions = await listRevisions(queries, { limit: wholeNumber(limit, 'limit') });
        const rows = revisions.map(({ id, at, ...rest }) => ({ revision: id, time: time(at), ...rest }));
        show(output, revisions, table(rows));
      });
    });
  program
    .command('diff')
    .description('what a revision changed (default: the last one)')
    .argument('[revision]')
    .action(async (text: string | undefined, _, command: Command) => {
      const { output, withDatabase } = contextOf(command);
      await withDatabase(async ({ queries }) => {
        const [last] = await listRevisions(queries, { limit: 1 });
        const revision = text === undefined ? (last?.id ?? 0) : wholeNumber(text, 'revision');
        const records = await revisionDifferences(queries, revision);
        show(output, { revision, records }, records.map(recordText).join(''));
      });
    });
  program
    .command('undo')
    .description('take one revision back and leave the later ones')
    .argument('<revision>')
    .option('--preview', 'show what would change, and change nothing')
    .action(async (text: string, _, command: Command) => {
      const revision = wholeNumber(text, 'revision');
      await changeAndShow(contextOf(command), `undo revision ${revision}`, (to) => undoRevision(to, revision));
    });
  purgeCommand(program);
  eventsCommand(program);
}

function purgeCommand(program: Command): void {
  program
    .command('purge')
    .description('delete what has been archived for long enough, for good')
    .option('--older-than <days>', 'days since it was archived', '30')
    .action(async ({ olderThan }: { olderThan: string }, command: Command) => {
      const { output, withDatabase } = contextOf(command);
      await withDatabase(async (database) => {
        const gone = await purge(database, Date.now() - wholeNumber(olderThan, 'older-than') * 86_400_000);
        const rows = Object.entries(gone).map(([kind, count]) => ({ kind, count }));
        show(output, gone, table(rows));
      });
    });
}

function eventsCommand(program: Command): void {
  program
    .command('events')
    .description('what happened')
    .option('--device <name>', 'only of this one')
    .option('--limit <count>', 'how many, the newest', '50')
    .action(async ({ device, limit }: { device?: string; limit: string }, command: Command) => {
      const { output, withDatabase } = contextOf(command);
      await withDatabase(async ({ queries }) => {
        const events = await listEvents(queries, { device, limit: wholeNumber(limit, 'limit') });
        show(
          output,
          events,
          table(events.map(({ at, kind, device, detail }) => ({ time: time(at), kind, device, detail }))),
        );
      });
    });
}

export function wholeNumber(text: string, field: string): number {
  return /^\d{1,12}$/.test(text) ? Number(text) : refuse(field, `expected a whole number, found '${text}'`);
}
