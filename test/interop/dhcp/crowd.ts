import { messageType } from '../../../appliance/lan/dhcp/numbers.ts';
import { macOf } from '../../../appliance/lan/dhcp/testing.ts';
import { dice, mutant } from './mutants.ts';
import { type ManyClients, manyClients } from './wire.ts';

// Run by main.ts inside the namespace of the load's host: `crowd.ts lease COUNT`, `crowd.ts mutants COUNT`,
// `crowd.ts churn`. Says what it did as JSON lines.

const server = '10.66.0.1';
const [task = '', countText = '0'] = process.argv.slice(2);
const clients = manyClients();

function tell(line: object): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** A whole exchange as a patient client does it: again after a second without an answer. */
async function lease(wire: ManyClients, mac: string): Promise<{ address: string; tries: number } | undefined> {
  for (let tries = 1; tries <= 5; tries += 1) {
    const offer = await wire.ask({ type: messageType.discover, mac }, 1500);
    if (!offer) continue;
    const ack = await wire.ask({ type: messageType.request, mac, requested: offer.yiaddr, server }, 1500);
    if (ack?.type === messageType.ack) return { address: ack.yiaddr, tries };
  }
  return undefined;
}

/** All at once. */
async function crowd(count: number): Promise<void> {
  const began = performance.now();
  const got = await Promise.all(Array.from({ length: count }, (_, i) => lease(clients, macOf(0x100 + i))));
  const addresses = got.flatMap((one) => one?.address ?? []);
  const again = got.filter((one) => (one?.tries ?? 9) > 1).length;
  tell({ leased: addresses.length, distinct: new Set(addresses).size, again, milliseconds: performance.now() - began });
}

/** As fast as main.ts lets them: a line on stdin allows the next thousand. */
async function mutants(count: number): Promise<void> {
  const roll = dice(count);
  const allowed = process.stdin[Symbol.asyncIterator]();
  for (let sent = 0; sent < count; ) {
    for (const end = Math.min(count, sent + 1000); sent < end; sent += 1) {
      clients.throw(mutant(roll));
      // The server's socket holds about 200 datagrams.
      if (sent % 50 === 49) await pause(1);
    }
    tell({ sent });
    await allowed.next();
  }
}

/** New clients without end: each leases, renews once and is never heard of again. Every ACK is told. */
async function churn(): Promise<void> {
  let stopped = false;
  process.stdin.once('data', () => {
    stopped = true;
  });
  let born = 0;
  const one = async () => {
    while (!stopped) {
      born += 1;
      const mac = macOf(0x9000000 + born);
      const got = await lease(clients, mac);
      if (!got) continue;
      tell({ mac, address: got.address });
      const renewed = await clients.ask({ type: messageType.request, mac, ciaddr: got.address, flags: 0 }, 20);
      if (renewed) tell({ mac, address: renewed.yiaddr });
    }
  };
  await Promise.all(Array.from({ length: 100 }, one));
}

if (task === 'lease') await crowd(Number(countText));
else if (task === 'mutants') await mutants(Number(countText));
else await churn();
clients.close();
process.exit(0);
