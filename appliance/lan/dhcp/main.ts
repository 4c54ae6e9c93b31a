import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import type { FromService, ToService } from '../../lib/messages.ts';
import { DhcpService } from './service.ts';

// Under the supervisor: messages over Node's IPC channel. Alone: `main.ts --config FILE.json`.

const { values } = parseArgs({
  options: { state: { type: 'string', default: '/var/lib/moat/dhcp' }, config: { type: 'string' } },
});

function tell(message: FromService): void {
  process.send?.(message);
}

async function serve(service: DhcpService): Promise<void> {
  // One after the other: a configuration must be in force before the probe that follows it.
  let before: Promise<unknown> = Promise.resolve();
  process.on('message', (message: ToService) => {
    before = before.then(async () => {
      const answer = await service.handle(message);
      if (answer) tell(answer);
      if (message.kind === 'stop') process.exit(0);
    });
  });
  // Without the supervisor nobody is there to configure or to stop us; it starts a new one of us when it is back.
  process.on('disconnect', () => service.stop().then(() => process.exit(0)));
  tell({ kind: 'started' });
}

async function serveAlone(service: DhcpService, file: string): Promise<void> {
  // Loaded only here: the schema library is a third of what this process may take.
  const { parseDhcpSlice } = await import('../../config/dhcp.ts');
  service.configure(0, parseDhcpSlice(JSON.parse(readFileSync(file, 'utf8'))));
}

const service = await DhcpService.start(values.state);
for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.once(signal, () => service.stop().then(() => process.exit(0)));
}
if (values.config) await serveAlone(service, values.config);
else if (process.send) await serve(service);
else {
  process.stderr.write('usage: main.ts [--state DIRECTORY] --config FILE.json, or under the supervisor\n');
  process.exit(2);
}
