import { once } from 'node:events';
import { createWriteStream, readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { refuse } from '../facts/refusal.ts';
import { exportCsv, exportLines } from '../transfer/export.ts';
import { importCsv, importLines } from '../transfer/import.ts';
import { changeAndShow, contextOf } from './context.ts';
import { Progress } from './progress.ts';

export function transferCommands(program: Command): void {
  program
    .command('export')
    .description('the fleet as JSON lines (see formats.md), to a file or to standard output')
    .argument('[file]')
    .option('--csv', 'one device a line, for spreadsheets')
    .option('--customer <name>', 'only this customer')
    .option('--secrets', 'with the keys of zone transfers: the file is then as secret as they are')
    .action(
      async (
        file: string | undefined,
        options: { csv?: boolean; customer?: string; secrets?: boolean },
        command: Command,
      ) => {
        await contextOf(command).withDatabase(async ({ queries }) => {
          const out = file === undefined ? process.stdout : createWriteStream(file, { mode: 0o600 });
          if (options.csv) out.write(await exportCsv(queries));
          else {
            for await (const line of exportLines(queries, { ...options, now: Date.now() })) {
              if (!out.write(`${line}\n`)) await once(out, 'drain');
            }
          }
          if (file !== undefined) await new Promise<void>((done) => out.end(() => done()));
        });
      },
    );
  program
    .command('import')
    .description('read what export wrote: all of it, or nothing when a line is wrong')
    .argument('<file>', 'the file, or - for standard input; one that ends in .csv is CSV')
    .option('--csv', 'whatever its name')
    .option('--portal <name>', 'the sites go to this portal, and the portals of the file stay out')
    .option('--skip-existing', 'leave records alone whose name is already there')
    .option('--preview', 'show what would change, and change nothing')
    .action(async (file: string, options: Record<string, unknown>, command: Command) => {
      const text = readText(file);
      const read = options.csv || file.endsWith('.csv') ? importCsv : importLines;
      const portal = options.portal as string | undefined;
      const existing = options.skipExisting ? 'skip' : 'refuse';
      const progress = new Progress('lines');
      await changeAndShow(contextOf(command), `import ${file}`, async (to) => {
        const counts = await read(to, text, { portal, existing, progress: (lines, all) => progress.at(lines, all) });
        progress.end();
        return counts;
      }).finally(() => progress.end());
    });
}

function readText(file: string): string {
  try {
    return readFileSync(file === '-' ? 0 : file, 'utf8');
  } catch (error) {
    return refuse('file', `${file} cannot be read: ${(error as NodeJS.ErrnoException).code}`);
  }
}
