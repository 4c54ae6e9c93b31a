import type { Command } from 'commander';
import pino from 'pino';
import { startPortal } from '../service/service.ts';
import { contextOf } from './context.ts';

export function runCommand(program: Command): void {
  program
    .command('run')
    .description('serve boxes and operators in the foreground; JSON log lines on standard output')
    .action(async (_, command: Command) => {
      // Addresses of databases and mail servers hold passwords; errors may quote them.
      const log = pino({ redact: { paths: ['err.config', 'err.connectionString', '*.password'], censor: '[secret]' } });
      const portal = await startPortal(contextOf(command).settings(), log);
      const stop = () => {
        log.info('portalStopping');
        portal.close().then(() => process.exit(0));
      };
      process.once('SIGTERM', stop);
      process.once('SIGINT', stop);
    });
}
