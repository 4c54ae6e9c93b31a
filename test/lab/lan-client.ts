/**
 * A device of the LAN, as far as a story needs one: asks for an address by DHCP and takes it, then asks the DNS server that
 * it was given. Runs in the device's namespace. Usage: lan-client.ts INTERFACE NAME...; prints one line of JSON.
 */
import { execFileSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { Resolver } from 'node:dns/promises';
import { clientMessage, type SeenReply, seenReply } from '../../appliance/lan/dhcp/testing.ts';
import { bindUdp } from '../../native/lan/index.ts';

const [device = 'lan', ...names] = process.argv.slice(2);
const mac = execFileSync('cat', [`/sys/class/net/${device}/address`])
  .toString()
  .trim();
const broadcast = 0x8000;
const [discover, request, ack] = [1, 3, 5];
const [subnetMask, routerOption, dnsOption] = [1, 3, 6];
const answerMs = 1000;
const patienceMs = 20_000;

const socket = createSocket('udp4');
socket.bind({ fd: bindUdp({ interface: device, address: '0.0.0.0', port: 68 }), exclusive: true });
let transaction = Math.floor(Math.random() * 0x7fffffff);

function ask(type: number, more: { requested?: string; server?: string } = {}): Promise<SeenReply | null> {
  transaction += 1;
  const xid = transaction;
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(null), answerMs);
    socket.on('message', (octets) => {
      const reply = seenReply(octets, { kind: 'frame', mac: '', address: '' });
      if (reply.xid !== xid) return;
      clearTimeout(timer);
      resolve(reply);
    });
    const message = clientMessage({ type, mac, xid, flags: broadcast, ...more });
    socket.send(message, 67, '255.255.255.255', () => undefined);
  });
}

const dotted = (octets: Uint8Array | undefined) => [...(octets ?? []).slice(0, 4)].join('.');

async function lease(): Promise<SeenReply> {
  const deadline = performance.now() + patienceMs;
  while (performance.now() < deadline) {
    const offer = await ask(discover);
    if (!offer) continue;
    const server = dotted(offer.options.get(54));
    const answer = await ask(request, { requested: offer.yiaddr, server });
    if (answer?.type === ack) return answer;
  }
  throw new Error('no lease: nobody answers DHCP');
}

const started = performance.now();
const { yiaddr, options } = await lease();
socket.close();
const mask = [...(options.get(subnetMask) ?? [])].reduce(
  (bits, octet) => bits + octet.toString(2).replaceAll('0', '').length,
  0,
);
const [router, dns] = [dotted(options.get(routerOption)), dotted(options.get(dnsOption))];
const ip = (...words: string[]) => execFileSync('ip', words);
ip('-4', 'address', 'flush', 'dev', device);
ip('address', 'add', `${yiaddr}/${mask}`, 'dev', device);
ip('route', 'replace', 'default', 'via', router);
const resolver = new Resolver({ timeout: 2000, tries: 3 });
resolver.setServers([dns]);
const answers: Record<string, string[] | string> = {};
for (const name of names) {
  answers[name] = await resolver.resolve4(name).catch((error: NodeJS.ErrnoException) => error.code ?? error.message);
}
console.log(JSON.stringify({ address: yiaddr, router, dns, answers, milliseconds: performance.now() - started }));
