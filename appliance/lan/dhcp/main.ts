import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import type { ToService } from '../../lib/messages.ts';
import { serveSupervisor, tellSupervisor } from '../../lib/supervised.ts';
import { DhcpService } from './service.ts';

// Under the supervisor: messages over Node's IPC channel. Alone: `main.ts --config FILE.json`.

const { values } = parseArgs({
  options: { state: { type: 'string', default: '/var/lib/moat/dhcp' }, config: { type: 'string' } },
});

function serve(service: DhcpService): void {
  serveSupervisor<ToService>({
    async receive(message) {
      const answer = await service.handle(message);
      if (answer) tellSupervisor(answer);
      if (message.kind === 'stop') process.exit(0);
    },
    stop: () => service.stop().then(() => process.exit(0)),
  });
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
else if (process.send) serve(service);
else {
  process.stderr.write('usage: main.ts [--state DIRECTORY] --config FILE.json, or under the supervisor\n');
  process.exit(2);
}
