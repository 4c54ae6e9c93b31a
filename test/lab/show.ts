import { createInterface } from 'node:readline';
import { formatMs, formatRate, formatShare, type PingResult } from './measures.ts';
import type { Moat } from './moat.ts';
import { startMoats } from './moat-pair.ts';
import { sleep } from './processes.ts';
import { World } from './world.ts';

const pages = 'http://corp/';
const intervalMs = 1000;

/** The tour: what is being set up, how the tunnel comes up, a page through it, and then a live line until Ctrl-C. */
export async function show(options: { nat: boolean }): Promise<void> {
  const began = performance.now();
  const say = (line: string) =>
    console.log(`${((performance.now() - began) / 1000).toFixed(2).padStart(6)} s  ${line}`);
  console.log(picture(options.nat));
  say('Each of these is a network namespace with its own addresses, routes and firewall.');
  const world = await World.up({ nat: options.nat, name: 'show' });
  // The tests of the lab look for this line.
  console.log(`World ${world.id} is up. Logs and captures: ${world.runDirectory}`);
  const before = await world.pc.run(['curl', '-sS', '--max-time', '1', pages]);
  say(`pc asks for ${pages} without a tunnel: ${before.stderr.trim() || 'it came, which it should not'}`);
  say('Starting moat at the home and at the portal, each with the public key of the other.');
  const { home, portal } = await startMoats(world, {}, (host, moat) => narrate(host, moat, say));
  const { ike } = await home.peer();
  const exchanges = [ike?.keyExchange, ...(ike?.additionalKeyExchange ? [ike.additionalKeyExchange] : [])].join(' + ');
  say(`IKE:  ${ike?.cipher}, ${ike?.prf}, ${exchanges}${ike?.natLocal ? ', through a NAT' : ''}`);
  const child = ike?.children[0];
  say(
    `ESP:  ${child?.cipher}, ${child?.mode} mode, ${child?.encapsulation === 'udp' ? 'in UDP 4500' : 'IP protocol 50'}`,
  );
  say(
    `pc asks for ${pages} again: ${(await world.pc.page(pages))
      .trim()
      .replace(/<[^>]+>/g, ' ')
      .trim()}`,
  );
  console.log('\nLive; Ctrl-C ends it and leaves nothing behind. In another terminal, for example:');
  console.log('  npm run lab -- exec pc ping corp\n  npm run lab -- exec internet tcpdump -n -i home udp\n');
  await live(world, home, portal);
}

function picture(nat: boolean): string {
  const middle = nat ? 'moat ---- home-router (NAT) ---- internet' : 'moat ---- internet';
  return `\n  pc ---- ${middle} ---- portal ---- corp\n`;
}

/** Prints what a moat logs, in the words of people where there are some. */
function narrate(host: string, moat: Moat, say: (line: string) => void): void {
  const { stdout } = moat.process.child;
  if (!stdout) return;
  createInterface({ input: stdout }).on('line', (line) => {
    const event = parse(line);
    const text = event && sentences[event.msg]?.(event);
    if (text) say(`${host.padEnd(6)} ${text}`);
  });
}

type Event = { readonly msg: string } & Readonly<Record<string, unknown>>;

const sentences: Readonly<Record<string, (event: Event) => string>> = {
  dataplaneOpened: ({ interface: name, mtu }) => `data plane open: ${name}, MTU ${mtu}`,
  calling: ({ peer, address }) => `calls ${peer} at ${address}: IKE_SA_INIT, then IKE_AUTH`,
  ikeEstablished: ({ peer, rekeyed }) =>
    `${rekeyed ? 'new keys for' : 'knows and is known by'} ${peer}: the IKE SA is up`,
  childEstablished: ({ peer, rekeyed }) => `${rekeyed ? 'new ESP keys with' : 'the tunnel is up with'} ${peer}`,
  ikeClosed: ({ peer }) => `the IKE SA with ${peer} is closed`,
};

function parse(line: string): Event | undefined {
  try {
    return JSON.parse(line) as Event;
  } catch {
    return undefined;
  }
}

/** One line a second: what passed the tunnel, how long it took, what was lost, and how old the keys are. */
async function live(world: World, home: Moat, portal: Moat): Promise<never> {
  let last = { octets: 0, at: performance.now() };
  while (true) {
    const [ping] = await Promise.all([
      world.pc.ping(world.addresses.corp.v4, { count: 5, interval: 50 }),
      // Whoever plays with the world may break it; the line then says so.
      world.pc.fetch(world.addresses.corp.v4, { octets: 500_000, seconds: 3 }).catch(() => undefined),
      sleep(intervalMs),
    ]);
    const { traffic, ike } = await home.peer();
    const octets = traffic.octetsIn + traffic.octetsOut;
    const now = performance.now();
    const rate = ((octets - last.octets) * 8000) / (now - last.at);
    last = { octets, at: now };
    const lost = traffic.lostIn + (await portal.peer()).traffic.lostIn;
    print(liveLine(rate, ping, lost, [ike?.children[0]?.rekeyInSeconds, ike?.rekeyInSeconds]));
  }
}

function liveLine(rate: number, ping: PingResult, lost: number, rekeys: readonly (number | undefined)[]): string {
  const [child, ike] = rekeys.map((seconds) => `${Math.round(seconds ?? 0)} s`);
  const loss = formatShare(1 - ping.received / ping.sent);
  return `tunnel ${formatRate(rate)}  round trip ${formatMs(ping.median)}  ping loss ${loss}  envelopes lost ${lost}  new keys: ESP in ${child}, IKE in ${ike}`;
}

/** In place on a terminal, a line each elsewhere. */
function print(line: string): void {
  process.stdout.write(process.stdout.isTTY ? `\r\x1b[2K${line}` : `${line}\n`);
}
