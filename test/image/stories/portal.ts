/**
 * The portal's image: flashed, its moat.toml edited and nothing else. The namespace `sofa` is the company here, on the second port; the
 * office's router is its way to the world. A home joins it, and what stands in the way of strangers is looked at from outside.
 */
import assert from 'node:assert/strict';
import { dirname, join } from 'node:path';
import { must, run, sleep } from '../../lab/processes.ts';
import type { Box } from '../box.ts';
import { Desk } from '../desk.ts';
import { Disk } from '../disk.ts';
import type { Ground } from '../ground.ts';
import { House } from '../house.ts';
import { page } from '../office.ts';
import { phase } from '../series.ts';
import { officeAddress } from '../street.ts';

const wildAddress = '198.51.100.20';
const companyAddress = '10.1.0.5';
const serverAddress = '10.1.0.80';
const told = 'first-operator.txt';

const toml = `role = "portal"
name = "hq"
[portal]
addresses = ["${wildAddress}"]
networks = ["10.1.0.0/16"]
operator = "ann"
[wild]
addressing = "static"
addresses = ["${wildAddress}/24"]
gateways = ["${officeAddress}"]
[company]
addresses = ["${companyAddress}/16"]
[box]
console = true
`;

/** As built: `npm run image -- --board pc --portal --no-compress --out .build/image/pc-portal.img`. */
async function flashed(ground: Ground, name: string): Promise<Disk> {
  const image = new Disk(join(dirname(ground.options.image), 'pc-portal.img'));
  const disk = await image.copy(join(ground.folder, `${name}.img`));
  await disk.putFile('moat.toml', toml);
  return disk;
}

/** The company: this machine's link, and the way to the homes. */
async function furnish({ street }: Ground): Promise<void> {
  const ip = (words: string) => must(['ip', '-n', street.namespace('sofa'), ...words.split(' ')]);
  await ip(`address replace ${serverAddress}/16 dev lan0`);
  await ip(`route replace 10.64.0.0/10 via ${companyAddress}`);
}

async function serve({ street, office }: Ground): Promise<void> {
  const program = [process.execPath, join(import.meta.dirname, '../corp.ts'), serverAddress, page];
  const server = office.start('company', ['nsenter', `--net=/run/netns/${street.namespace('sofa')}`, ...program]);
  await server.match(/listening/, 20);
}

export async function flashedPortal(ground: Ground): Promise<string> {
  await furnish(ground);
  await serve(ground);
  const disk = await flashed(ground, 'portal');
  const box = ground.start(disk, 'portal');
  await box.see(/the first operator is in first-operator\.txt/);
  const { at, processorSeconds } = await box.works();
  const text = await disk.getFile(told);
  const desk = await Desk.sitDown(ground.street, text);
  assert.match(await desk.page(), /<script type="module"/, 'the page is served');
  const token = await newHome(desk, 'home-1');
  const house = await House.open(ground.street, ground.folder);
  try {
    const range = await house.join(token);
    await house.read(`http://${serverAddress}/`, page);
    const walls = await fromOutside(ground);
    const inside = await looksRight(box);
    await box.cut();
    const again = await secondStart(ground, disk, house);
    return `works at ${at} s (${processorSeconds} s of processor); ann let in by ${told}, home-1 joined with ${range} and reads the page; ${walls}; ${inside}; ${again}`;
  } finally {
    await house.close();
  }
}

async function newHome(desk: Desk, name: string): Promise<string> {
  await desk.call('POST', '/api/devices', { customer: 'acme', name });
  const { token } = (await desk.call('POST', `/api/devices/${name}/code`, {})) as { token?: string };
  assert.ok(token, 'an enrolment code');
  return token;
}

/** What answers a stranger, and a stranger who sends packets for the company's address our way. */
async function fromOutside({ street }: Ground): Promise<string> {
  const knock = async (...words: string[]) =>
    JSON.parse(
      await must(street.inside('office', [process.execPath, join(import.meta.dirname, '../knock.ts'), ...words]), {
        timeout: 300_000,
      }),
    ) as { open: number[]; closed: number[] };
  assert.deepEqual(await knock(wildAddress, 'tcp', '1', '65535'), { open: [8443], closed: [] });
  const udp = '53,67,68,123,161,500,514,1900,4500,5353,8443,8444,9464,51820';
  assert.deepEqual(await knock(wildAddress, 'udp', udp), { open: [], closed: [] });
  await must(['ip', '-n', street.namespace('office'), 'route', 'add', companyAddress, 'via', wildAddress]);
  assert.deepEqual(await knock(companyAddress, 'tcp', '8440', '8450'), { open: [8443], closed: [] });
  assert.deepEqual(await knock(companyAddress, 'tcp', '1', '1024'), { open: [], closed: [] });
  const { code } = await run(street.inside('office', ['ping', '-c', '1', '-W', '2', wildAddress]));
  assert.notEqual(code, 0, 'no answer to a ping');
  return 'of 65535 TCP ports 8443 answers outside, and no UDP port says that it is closed';
}

/** As rootfs/README.md lists them. */
const documented = [
  'tcp * 8443',
  `tcp ${companyAddress} 8444`,
  'tcp 127.0.0.1 9464',
  'udp * 4500',
  'udp * 500',
  'udp * 8443',
];

async function looksRight(box: Box): Promise<string> {
  const lines = (await box.shell('ss -Hlntu')).trim().split('\n');
  const sockets = lines.map((line) => {
    const [protocol = '', , , , local = ''] = line.trim().split(/\s+/);
    const [, address = '', port = ''] = /^(.*?)(?:%[a-z0-9]+)?:(\d+)$/.exec(local) ?? [];
    return `${protocol} ${['0.0.0.0', '[::]', '*'].includes(address) ? '*' : address} ${port}`;
  });
  assert.deepEqual([...new Set(sockets)].sort(), documented.toSorted());
  const users = (await box.shell('ps -eo user:16=,args= | grep usr/lib/moat/ | grep -v grep')).trim().split('\n');
  const names = [...new Set(users.map((line) => line.split(' ')[0] ?? ''))].sort();
  assert.deepEqual(names, ['moat-portal', 'moat-tunnel', 'root'], users.join('\n'));
  assert.match(
    await box.shell('stat -c "%U %a" /var/lib/moat-portal /var/lib/moat-portal/moat.db'),
    /^moat-portal 700\nmoat-portal 600/,
  );
  const missing = 'for c in cc gcc g++ make dpkg apt perl python3 wget curl nc; do command -v $c; done; true';
  assert.equal((await box.shell(missing)).trim(), '', 'no compiler, no package manager, no downloader');
  const memory = "awk '/MemTotal/{t=$2}/MemAvailable/{a=$2}END{print int((t-a)/1024)}' /proc/meminfo";
  return `sockets and users as documented, ${(await box.shell(memory)).trim()} MiB in use`;
}

/** After a cut: the same portal, nobody is made a second time, and the home is back by itself. */
async function secondStart(ground: Ground, disk: Disk, house: House): Promise<string> {
  await must(['mdel', '-i', `${disk.path}@@${disk.offset('config')}`, `::${told}`]);
  const box = ground.start(disk, 'portal-again');
  const { at } = await box.works();
  assert.doesNotMatch(box.console.text, /the portal is made|first operator is in|restored/);
  await house.read(`http://${serverAddress}/`, page);
  assert.equal((await box.shell('ls /var/lib/moat-portal/first-operator.txt 2>&1')).includes('No such file'), true);
  await box.cut();
  return `after a cut it works again at ${at} s, and the home reads the page`;
}

/**
 * The machine is lost, its stick is not: the same moat.toml on another medium, the order `portal-restore`, and the stick in the port. The
 * operator is let in as before, and the home finds its portal again without a hand.
 */
export async function portalFromItsStick(ground: Ground): Promise<string> {
  await furnish(ground);
  await serve(ground);
  const stick = join(ground.folder, 'backup-stick.img');
  await must(['mformat', '-C', '-i', stick, '-v', 'MOAT-BACKUP', '-T', '131072', '-h', '16', '-s', '63', '::']);
  const lost = await flashed(ground, 'portal-lost');
  const first = ground.start(lost, 'portal-lost', { stick });
  await first.works();
  const text = await lost.getFile(told);
  const house = await House.open(ground.street, ground.folder);
  try {
    await house.join(await newHome(await Desk.sitDown(ground.street, text), 'home-1'));
    await house.read(`http://${serverAddress}/`, page);
    // The day's backup was made when the stick was found; another day.
    await first.shell('rm -r /var/lib/moat-portal-backups; systemctl start moat-portal-backup.service', 120);
    await first.cut();
    const copies = await must(['mdir', '-b', '-i', stick, '::moat-portal']);
    const found = await flashed(ground, 'portal-found');
    await found.putFile('portal-restore', '');
    const second = ground.start(found, 'portal-found', { stick });
    const [, from = ''] = await second.see(/moat: the portal is restored \((.*)\)/);
    const { at } = await second.works();
    assert.doesNotMatch(second.console.text, /the portal is made|first operator is in/);
    await house.read(`http://${serverAddress}/`, page, 300);
    await assert.rejects(found.getFile('portal-restore'), 'the order is followed once');
    await Desk.sitDown(ground.street, text);
    await second.cut();
    return `${copies.trim().split('\n').length} backups on the stick; another medium has the portal from ${from}, works at ${at} s, lets the operator in, and the home reads the page`;
  } finally {
    await house.close();
  }
}

/** From where the portal is being made on, the plug is pulled; the next start always ends with an operator who gets in. */
export async function cutsWhilePortalIsMade(ground: Ground): Promise<string> {
  await furnish(ground);
  const rounds = ground.options.rounds.firstBoot;
  const said: string[] = [];
  for (let round = ground.options.from; round < ground.options.from + rounds; round++) {
    const name = `portal-cut-${round}`;
    const disk = await flashed(ground, name);
    const box = ground.start(disk, name);
    await box.publicKey();
    // On a machine that is nearly quiet the making ends about 15 s after the key.
    const wait = ground.random(4000 + round) * 18_000;
    await sleep(wait);
    await box.cut();
    const cutIn = `${phase(box.console.text)}${/first operator is in/.test(box.console.text) ? ', operator told' : ''}`;
    const next = ground.start(disk, `${name}-next`);
    await next.works();
    await Desk.sitDown(ground.street, await disk.getFile(told));
    await next.cut();
    said.push(`${(wait / 1000).toFixed(1)} s (${cutIn})`);
    console.log(`portal cut ${round}: ${said.at(-1)}: the operator is let in`);
  }
  return `cut ${said.join(', ')} after the key: the next start works, and the operator of the file is let in`;
}
