import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import type { DnsConfigInput } from '../../../appliance/config/dns.ts';
import { Box } from './box.ts';
import { dig } from './dig.ts';
import { key, knotServer } from './primaries.ts';
import { addresses, until, type World } from './world.ts';

const catalogName = 'catalog.example';
const zoneText = '@ SOA ns nobody 1 3600 600 604800 30\n@ NS ns\nns A 10.9.0.5\nwww A 10.9.0.80\n';

function knotConf(folder: string, members: readonly string[]): string {
  const zones = members.map(
    (name) => `
  - domain: ${name}
    storage: "${folder}"
    file: member.text
    zonefile-sync: -1
    notify: home
    acl: out
    catalog-role: member
    catalog-zone: ${catalogName}`,
  );
  return `${knotServer(folder, addresses.cataloger, addresses.dnsmasq)}
zone:
  - domain: ${catalogName}
    storage: "${folder}"
    zonefile-sync: -1
    notify: home
    acl: out
    catalog-role: generate${zones.join('')}
`;
}

/** Knot, whose list of zones can be changed while it runs. */
class Cataloger {
  readonly #world: World;
  readonly #process: ChildProcess;

  constructor(world: World, members: readonly string[]) {
    this.#world = world;
    mkdirSync(`${world.folder}/cataloger/db`, { recursive: true });
    writeFileSync(`${world.folder}/cataloger/member.text`, zoneText);
    this.#write(members);
    this.#process = world.start('corp', ['/usr/sbin/knotd', '-c', `${world.inside}/cataloger/server.conf`]);
  }

  lists(members: readonly string[]): void {
    this.#write(members);
    this.#process.kill('SIGHUP');
  }

  stop(): Promise<void> {
    return this.#world.stop(this.#process);
  }

  #write(members: readonly string[]): void {
    const text = knotConf(`${this.#world.inside}/cataloger`, members);
    writeFileSync(`${this.#world.folder}/cataloger/server.conf`, text);
  }
}

/** Zones that come and go with Knot's catalog, without a word in the box's configuration. In a process of its own. */
export async function catalogZones(world: World, config: DnsConfigInput): Promise<string> {
  const primaries = [{ address: addresses.cataloger, key: key.name }];
  const zones = [{ name: catalogName, primaries, catalog: { within: ['corp.example'] } }];
  const stateDirectory = `${world.folder}/catalog-state`;
  const own = { ...config, listen: [{ address: addresses.dnsmasq }], zones, forward: [], stateDirectory };
  const knot = new Cataloger(world, ['one.corp.example', 'two.corp.example', 'bank.example']);
  const asked = async (name: string) => {
    const dug = await dig(world, addresses.dnsmasq, `www.${name} A`, '+norecurse +tries=1 +time=1').catch(
      () => undefined,
    );
    return dug?.status === 'NOERROR' && dug.flags.includes('aa') && dug.answer.length === 1;
  };
  let box = await Box.start(world, own);
  try {
    for (const name of ['one.corp.example', 'two.corp.example']) await until(name, () => asked(name));
    const listed = (await box.status()).zones;
    assert.deepEqual(listed.map(({ name }) => name).sort(), [
      `${catalogName}.`,
      'one.corp.example.',
      'two.corp.example.',
    ]);
    assert.deepEqual(listed.find(({ name }) => name === `${catalogName}.`)?.refused, ['bank.example.']);
    assert.ok(!(await asked('bank.example')), 'a name outside of what the catalog may bring');
    const itself = await dig(world, addresses.dnsmasq, `${catalogName} SOA`, '+norecurse');
    assert.equal(itself.answer.length, 0, 'the catalog itself is for nobody');
    knot.lists(['two.corp.example', 'three.corp.example']);
    const added = await until('the new zone', () => asked('three.corp.example'));
    await until('the old one is gone', async () => !(await asked('one.corp.example')));
    assert.ok(!existsSync(`${stateDirectory}/one.corp.example.zone`), 'and nothing of it is left on the disk');
    await knot.stop();
    await box.stop('SIGKILL');
    box = await Box.start(world, own);
    const names = ['two.corp.example', 'three.corp.example'];
    for (const name of names) assert.ok(await asked(name), `${name} from the disk, with the catalog's primary dead`);
    return `two zones listed, one refused; a third served ${added.took.toFixed(0)} ms after the list; all again after kill -9 without a primary`;
  } finally {
    await box.stop();
    await knot.stop();
  }
}
