import type { Command } from 'commander';
import { qrText } from '../fleet/qr.ts';
import { addOperator, listOperators, removeOperator } from '../operator-api/operators.ts';
import { otpauthUri } from '../operator-api/passwords.ts';
import { contextOf } from './context.ts';
import { show, table, time } from './output.ts';

export function operatorCommands(program: Command): void {
  const group = program.command('operator').description('who may use the page');
  group
    .command('add')
    .argument('<name>')
    .description('with a password and an authenticator secret, which are shown this once')
    .option('--role <role>', 'viewer, operator or owner', 'operator')
    .action(async (name: string, { role }: { role: string }, command: Command) => {
      const { output, settings, withDatabase } = contextOf(command);
      await withDatabase(async (database) => {
        const made = await addOperator(database, { name, role }, Date.now());
        const otpauth = otpauthUri(settings().name, name, made.totpSecret);
        const words = `password: ${made.password}\nauthenticator: ${otpauth}\nBoth are shown this once.\n`;
        show(output, { ...made, otpauth }, `${qrText(otpauth)}\n${words}`);
      });
    });
  group
    .command('list')
    .description('who they are')
    .action(async (_, command: Command) => {
      const { output, withDatabase } = contextOf(command);
      await withDatabase(async ({ queries }) => {
        const operators = await listOperators(queries);
        show(output, operators, table(operators.map(({ createdAt, ...row }) => ({ ...row, since: time(createdAt) }))));
      });
    });
  group
    .command('remove')
    .argument('<name>')
    .description('at once, with every session and passkey')
    .action(async (name: string, _, command: Command) => {
      const { output, withDatabase } = contextOf(command);
      await withDatabase((database) => removeOperator(database, name));
      show(output, { removed: name }, `operator ${name} is removed, and logged out\n`);
    });
}
