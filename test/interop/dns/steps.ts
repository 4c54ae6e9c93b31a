import assert from 'node:assert/strict';
import { rmSync, writeFileSync } from 'node:fs';
import type { DnsConfigInput } from '../../../appliance/config/dns.ts';
import { sleep } from '../../lab/processes.ts';
import type { Measured, RingStep } from '../ring.ts';
import { Box } from './box.ts';
import { catalogZones } from './catalog.ts';
import { type Dug, dig, digAll } from './dig.ts';
import { key, type PrimaryName, type RunningPrimary, startPrimary, zoneName } from './primaries.ts';
import { signedZones } from './signed.ts';
import { addresses, until, type World } from './world.ts';
import { absentNames } from './zone-text.ts';

const primaryNames = ['bind', 'nsd', 'knot'] as const;
const firstSerial = 2026112201;
const secondSerial = firstSerial + 1;

/** What stays between the steps: each builds on the one before. */
const running: { primaries: Map<PrimaryName, RunningPrimary>; box: Box | undefined } = {
  primaries: new Map(),
  box: undefined,
};

function box(): Box {
  if (!running.box) throw new Error('the box is not started');
  return running.box;
}

export function boxConfig(world: World, changes: Partial<DnsConfigInput> = {}): DnsConfigInput {
  return {
    listen: [{ address: addresses.box }],
    clients: ['192.168.77.0/24'],
    stateDirectory: `${world.folder}/state`,
    leasesFile: `${world.folder}/leases.json`,
    statusFile: `${world.folder}/status.json`,
    reverse: ['192.168.77.0/24'],
    hosts: [{ name: 'box', addresses: [addresses.box] }],
    keys: [{ name: key.name, secret: key.secret }],
    zones: primaryNames.map((name) => ({
      name: zoneName(name),
      primaries: [{ address: addresses[name], key: key.name }],
    })),
    forward: [{ domain: '.', servers: [{ address: addresses.bind }] }],
    ...changes,
  };
}

async function serialOf(world: World, server: string, zone: string): Promise<number | undefined> {
  // A server that is still starting answers nothing at all.
  const dug = await dig(world, server, `${zone} SOA`, '+norecurse +tries=1 +time=1').catch(() => undefined);
  const serial = dug?.answer[0]?.split(' ')[6];
  return serial === undefined ? undefined : Number(serial);
}

async function startAll(world: World): Promise<string> {
  for (const name of primaryNames) running.primaries.set(name, startPrimary(world, name, firstSerial));
  for (const name of primaryNames) {
    await until(`${name} serves`, async () => (await serialOf(world, addresses[name], zoneName(name))) === firstSerial);
  }
  const startedAt = performance.now();
  running.box = await Box.start(world, boxConfig(world));
  for (const name of primaryNames) {
    await until(
      `AXFR from ${name}`,
      async () => (await serialOf(world, addresses.box, zoneName(name))) === firstSerial,
    );
  }
  const took = performance.now() - startedAt;
  const { zones } = await box().status();
  for (const zone of zones) assert.equal(zone.transfers.whole, 1, `${zone.name}: one AXFR`);
  assert.ok(
    zones.every((zone) => (zone.records ?? 0) > 10_000),
    '10,000 records',
  );
  return `three zones of ${zones[0]?.records} records, TSIG, ${took.toFixed(0)} ms after the start of the process`;
}

/** Owner and type of every record, from the primary's own transfer. */
async function everyName(world: World, name: PrimaryName): Promise<string[]> {
  const signature = `hmac-sha256:${key.name}:${key.secret}`;
  const command = [
    'dig',
    `@${addresses[name]}`,
    '-y',
    signature,
    zoneName(name),
    'AXFR',
    '+noall',
    '+answer',
    '+onesoa',
  ];
  const text = await world.must('corp', command);
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith(';'));
  const pairs = lines.map((line) => line.split(/\s+/)).map(([owner, , , type]) => `${owner} ${type}`);
  return [...new Set(pairs)];
}

/** What must be equal: everything, but for what only decorates a positive answer. */
function essence({ question, status, flags, answer, authority, additional }: Dug): unknown {
  const aa = flags.includes('aa');
  return answer.length > 0 ? { question, status, aa, answer } : { question, status, aa, authority, additional };
}

/** A DNAME's CNAME: servers differ in its time to live (RFC 6672 3.1 lets it be the DNAME's or zero). */
function withoutMadeTtl(dug: Dug): Dug {
  return dug.question.includes('.old.')
    ? { ...dug, answer: dug.answer.map((line) => line.replace(/^(\S+) \d+ (IN CNAME)/, '$1 - $2')) }
    : dug;
}

/** `every`: only each so many-th name of the zone is asked for; 1 = all. */
async function compare(world: World, name: PrimaryName, every = 1): Promise<number> {
  const questions = (await everyName(world, name)).filter((_, i) => i % every === 0);
  const absent = absentNames.map((line) => line.replace(' ', `.${zoneName(name)}. `));
  const all = [...questions, ...absent];
  const [theirs, ours] = await Promise.all([digAll(world, addresses[name], all), digAll(world, addresses.box, all)]);
  assert.equal(theirs.length, all.length, `${name} answered everything`);
  assert.equal(ours.length, all.length, 'we answered everything');
  theirs.forEach((their, i) => {
    const our = ours[i];
    assert.ok(our);
    assert.deepEqual(essence(withoutMadeTtl(our)), essence(withoutMadeTtl(their)), `${name}: ${all[i]}`);
  });
  return all.length;
}

async function compareAll(world: World): Promise<string> {
  const counts = await Promise.all(primaryNames.map(async (name) => `${name} ${await compare(world, name)}`));
  return `equal answers by dig: ${counts.join(', ')} questions`;
}

async function editAll(world: World): Promise<string> {
  const results: string[] = [];
  for (const name of primaryNames) {
    running.primaries.get(name)?.edit(secondSerial, 50);
    // The primary needs its time to read the file; from when it serves it, ours runs.
    await until(
      `${name} reloads`,
      async () => (await serialOf(world, addresses[name], zoneName(name))) === secondSerial,
    );
    const { took } = await until(
      `NOTIFY from ${name}`,
      async () => (await serialOf(world, addresses.box, zoneName(name))) === secondSerial,
    );
    assert.ok(took < 1000, `${name}: ${took.toFixed(0)} ms from the primary's new serial to ours`);
    const zone = (await box().status()).zones.find((each) => each.name === `${zoneName(name)}.`);
    assert.equal(zone?.transfers.incremental, 1, `${name}: by IXFR, ${JSON.stringify(zone?.transfers)}`);
    results.push(`${name} ${took.toFixed(0)} ms`);
  }
  for (const name of primaryNames) await compare(world, name, 7);
  return `50 edits by IXFR, after the primary had them: ${results.join(', ')}; equal again by dig`;
}

async function wrongKey(world: World): Promise<string> {
  const wrong = { name: key.name, secret: Buffer.alloc(32, 'wrong').toString('base64') };
  await box().stop();
  rmSync(`${world.folder}/state`, { recursive: true });
  running.box = await Box.start(world, boxConfig(world, { keys: [wrong] }));
  const { value } = await until('refusal by all three', async () => {
    const { zones } = await box().status();
    return zones.every((zone) => zone.problem !== undefined) && zones;
  });
  for (const zone of value) assert.equal(zone.state, 'empty', `${zone.name} must not be served`);
  const { status, ede } = await dig(world, addresses.box, `mail.${zoneName('bind')} A`, '+norecurse');
  assert.equal(status, 'SERVFAIL');
  return `${value.map((zone) => zone.problem).join('; ')}; we say SERVFAIL, ${ede}`;
}

async function primariesGone(world: World): Promise<string> {
  await box().configure(boxConfig(world));
  for (const name of primaryNames) {
    await until(
      `AXFR from ${name}`,
      async () => (await serialOf(world, addresses.box, zoneName(name))) === secondSerial,
    );
  }
  await box().stop('SIGKILL');
  for (const name of primaryNames) {
    const primary = running.primaries.get(name);
    if (primary) await world.stop(primary.process);
  }
  const startedAt = performance.now();
  running.box = await Box.start(world, boxConfig(world));
  const { answer } = await dig(world, addresses.box, `mail.${zoneName('knot')} A`);
  const took = performance.now() - startedAt;
  assert.equal(answer.length, 1, 'served from the disk');
  assert.ok(took < 5000);
  const probe = await box().probe();
  assert.ok(probe.ok, probe.detail);
  return `after kill -9, with every primary dead, the first answer ${took.toFixed(0)} ms after the start; ${probe.detail}`;
}

async function lanNames(world: World): Promise<string> {
  const lease = {
    address: '192.168.77.99',
    hostname: 'Printer',
    mac: '02:00:00:00:00:01',
    clientId: '',
    expiresAt: 4102444800000,
  };
  writeFileSync(`${world.folder}/leases.json.new`, JSON.stringify([lease]));
  await world.must('home', ['mv', `${world.inside}/leases.json.new`, `${world.inside}/leases.json`]);
  const { took } = await until(
    'lease name',
    async () => (await dig(world, addresses.box, 'printer.home.arpa A')).answer.length === 1,
  );
  const reverse = await dig(world, addresses.box, '99.77.168.192.in-addr.arpa PTR');
  assert.match(reverse.answer[0] ?? '', /printer\.home\.arpa\.$/);
  const leak = await dig(world, addresses.box, '1.1.168.192.in-addr.arpa PTR');
  assert.equal(leak.status, 'NXDOMAIN');
  return `a lease has its names ${took.toFixed(0)} ms after the rename`;
}

async function forwarding(world: World): Promise<string> {
  running.primaries.set('bind', startPrimary(world, 'bind', secondSerial));
  await until('the resolver', async () => (await dig(world, addresses.box, 'a.public.example A')).status === 'NOERROR');
  const chain = await dig(world, addresses.box, `away.${zoneName('bind')} A`);
  assert.equal(chain.answer.length, 2, 'an alias that leaves the zone is followed');
  const delegated = await dig(world, addresses.box, `x.sub.${zoneName('bind')} A`);
  assert.equal(delegated.status, 'NOERROR', 'below a cut the route is asked');
  const big = await dig(world, addresses.box, 'big.public.example TXT', '+recurse +bufsize=512');
  assert.equal(big.answer.length, 1, 'over TCP, both ways');
  const bare = await dig(world, addresses.box, 'a.public.example A', '+recurse +noedns');
  assert.equal(bare.answer.length, 1);
  return 'aliases out of the zone, delegations, truncation and plain DNS';
}

async function wanCut(world: World): Promise<string> {
  await dig(world, addresses.box, 'kept.public.example A');
  await world.ip('home', 'link set wan down');
  const began = performance.now();
  const lost = await dig(world, addresses.box, 'lost.public.example A', '+recurse +time=5');
  const took = performance.now() - began;
  assert.equal(lost.status, 'SERVFAIL');
  assert.notEqual(lost.ede, '', 'says why');
  const corporate = await dig(world, addresses.box, `mail.${zoneName('nsd')} A`);
  assert.equal(corporate.answer.length, 1);
  const sentence = 'Your internet provider does not answer; the box itself is fine.';
  writeFileSync(`${world.folder}/status.json`, JSON.stringify({ sentence, wan: 'down', tunnel: 'down' }));
  const why = await until('why.moat', async () => {
    const { answer } = await dig(world, addresses.box, 'why.moat TXT');
    return answer[0]?.includes(sentence) && answer[0];
  });
  assert.ok(took < 100 + 60, `SERVFAIL after ${took.toFixed(0)} ms, dig's own start in it`);
  return `public names fail ${took.toFixed(0)} ms after the question (dig's start included): ${lost.ede}; why.moat in ${why.took.toFixed(0)} ms`;
}

async function wanBack(world: World): Promise<string> {
  await world.ip('home', 'link set wan up');
  writeFileSync(`${world.folder}/status.json`, JSON.stringify({ sentence: 'All is well.', wan: 'up', tunnel: 'up' }));
  const publicNames = await until(
    'public names',
    async () => (await dig(world, addresses.box, 'again.public.example A')).status === 'NOERROR',
    5000,
  );
  running.primaries.get('bind')?.edit(secondSerial + 1, 60);
  for (const name of ['nsd', 'knot'] as const) running.primaries.set(name, startPrimary(world, name, secondSerial + 1));
  const zones = await until('zones', async () => {
    const serials = await Promise.all(primaryNames.map((name) => serialOf(world, addresses.box, zoneName(name))));
    return serials.every((serial) => serial === secondSerial + 1);
  });
  assert.ok(zones.took < 6000);
  return `public names after ${publicNames.took.toFixed(0)} ms, three restarted primaries' zones after ${zones.took.toFixed(0)} ms`;
}

/** In a process of its own beside the box, on another address: the zones of the steps around it stay as they are. */
async function signed(world: World): Promise<string> {
  return signedZones(world, boxConfig(world));
}

async function catalog(world: World): Promise<string> {
  return catalogZones(world, boxConfig(world));
}

/** In a box of its own, at rest with one zone from the disk. The pages of node's own file are shared by all processes. */
async function memory(world: World): Promise<Measured> {
  await box().stop();
  const { zones = [], ...config } = boxConfig(world);
  running.box = await Box.start(world, { ...config, zones: zones.slice(0, 1) });
  await until('the zone', async () => (await box().status()).zones[0]?.state === 'current');
  await sleep(1500);
  const { resident, own } = box().memory;
  const text = `${(resident / 1e6).toFixed(1)} MB resident with a zone of 10,000 records, of them ${(own / 1e6).toFixed(1)} MB our own`;
  assert.ok(resident <= 72e6 && own <= 22e6, text);
  return { text, figures: { residentMegabytes: resident / 1e6 } };
}

/** Each builds on what those before left behind. */
export function stepsIn(world: () => World): readonly RingStep[] {
  const step = (name: string, play: (world: World) => Promise<Measured>, needs: readonly string[] = []) => {
    return { name, needs, play: () => play(world()) };
  };
  return [
    step('axfr', startAll),
    step('equal', compareAll, ['axfr']),
    step('notify-ixfr', editAll, ['axfr']),
    step('signed', signed, ['axfr']),
    step('catalog', catalog),
    step('wrong-tsig', wrongKey, ['axfr']),
    step('primaries-gone', primariesGone, ['notify-ixfr']),
    step('lan-names', lanNames, ['axfr']),
    step('forwarding', forwarding, ['primaries-gone']),
    step('wan-cut', wanCut, ['forwarding']),
    step('wan-back', wanBack, ['wan-cut']),
    step('memory', memory, ['axfr']),
  ];
}
