/** Many boxes of one portal in the lab: added by CSV, enrolled with the keys of their factory, running. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { newEd25519 } from '../interop/swanctl-conf.ts';
import type { Host } from './host.ts';
import { Moat, moatProgram } from './moat.ts';
import type { LabPortal } from './provisioned.ts';
import type { World } from './world.ts';

export interface FactoryBox {
  readonly name: string;
  readonly privateKeyPem: string;
  readonly publicKey: string;
}

export function factoryBoxes(count: number, prefix = 'home'): FactoryBox[] {
  return Array.from({ length: count }, (_, index) => ({ name: `${prefix}-${index + 1}`, ...newEd25519() }));
}

/** All in one revision, as an administrator does it. */
export async function importBoxes(portal: LabPortal, boxes: readonly FactoryBox[], policy: string): Promise<void> {
  const lines = boxes.map(({ name, publicKey }) => `acme,${name},${policy},${publicKey}`);
  const file = join(portal.folder, `${boxes[0]?.name}.csv`);
  writeFileSync(file, `${['customer,device,policy,publicKey', ...lines].join('\n')}\n`);
  await portal.command('import', file);
}

/** A token for boxes whose keys the portal knows: without a code. */
export async function factoryToken(portal: LabPortal, anyDevice: string): Promise<string> {
  return (await portal.token(anyDevice)).replace(/[^.]*$/, '');
}

/** `moat enroll` and `moat run` on a host; its address in the tunnel is given to the interface that leads nowhere. */
export async function startBox(host: Host, box: FactoryBox, portal: LabPortal, token: string): Promise<Moat> {
  const folder = join(host.home.temporary, `box-${box.name}`);
  await host.must(['sh', '-c', `mkdir -p ${folder} && cat >${folder}/identity.key`], { input: box.privateKeyPem });
  const state = join(folder, 'state');
  await host.must([moatProgram, 'enroll', token, '--key', join(folder, 'identity.key'), '--state', state]);
  const address = ownAddressIn((await portal.configOf(box.name)).tunnel.networks);
  await host.ip(`address add ${address}/32 dev lan`);
  return Moat.startIn(host, state);
}

/** The first host of the first IPv4 range. */
export function ownAddressIn(ranges: readonly string[]): string {
  const [range = ''] = ranges.filter((each) => each.includes('.'));
  return (range.split('/')[0] ?? '').replace(/\d+$/, (last) => String(Number(last) + 1));
}

/** Several at a time: two processors start no more at once. */
export async function startBoxes(
  lab: World,
  boxes: readonly FactoryBox[],
  portal: LabPortal,
  token: string,
): Promise<Moat[]> {
  const moats: Moat[] = [];
  const left = boxes.map((box, index) => ({ box, index }));
  const worker = async () => {
    for (let next = left.shift(); next; next = left.shift()) {
      moats[next.index] = await startBox(lab.host(next.box.name), next.box, portal, token);
    }
  };
  await Promise.all([worker(), worker(), worker()]);
  return moats;
}
