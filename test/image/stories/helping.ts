/** What a person can do who has only the box, a computer and a USB stick. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { signingKey } from '../../../images/signing.ts';
import { resetOrder } from '../../../rootfs/box/reset-order.ts';
import { must } from '../../lab/processes.ts';
import type { Ground } from '../ground.ts';

/** Sectors: 32 MiB, and 32 KiB. */
const [roomy, tiny] = [65_536, 64];

interface Stick {
  readonly name: string;
  readonly sectors: number;
  readonly files: Readonly<Record<string, string>>;
}

/** A FAT stick with these files. @returns its path */
async function makeStick(ground: Ground, { name, sectors, files }: Stick): Promise<string> {
  const stick = join(ground.folder, `${name}.img`);
  await must(['mformat', '-C', '-i', stick, '-T', `${sectors}`, '-h', '16', '-s', '63', '::']);
  for (const [file, text] of Object.entries(files)) {
    writeFileSync(`${stick}.file`, text);
    await must(['mcopy', '-i', stick, `${stick}.file`, `::${file}`]);
  }
  return stick;
}

/** A file on the FAT partition; the support bundle; a signed order. */
export async function resetAndSupport(ground: Ground): Promise<string> {
  const { disk, publicKey } = await ground.seasoned('reset');
  await disk.putFile('factory-reset', '');
  const nonsense = { 'moat-support': '', 'moat-reset': 'moat-reset-1 nonsense\n' };
  const stick = await makeStick(ground, { name: 'stick', sectors: roomy, files: nonsense });
  const box = ground.start(disk, 'reset', { stick });
  await box.see(/moat: factory reset/);
  await box.see(/data partition: restored \(factory reset\)/);
  const newKey = await box.publicKey();
  assert.notEqual(newKey, publicKey, 'the key is forgotten');
  await ground.office.admit(newKey);
  await box.console.match(/support bundle written to the stick/, 300);
  await box.console.match(/the order to reset on the stick is not signed for this box/, 60);
  await box.works();
  await box.shell('sync');
  await box.cut();
  const bundle = await must(['mtype', '-i', stick, '::moat-support.json']);
  assert.equal(JSON.parse(bundle).slot, 'a');
  assert.doesNotMatch(bundle, /PRIVATE KEY/);

  // A stick without room for the bundle: what it orders is done all the same.
  const order = resetOrder(newKey, signingKey());
  const files = { 'moat-support': '', 'moat-reset': order, holiday: 'x'.repeat(20_000) };
  const full = await makeStick(ground, { name: 'full-stick', sectors: tiny, files });
  const next = ground.start(disk, 'reset', { stick: full });
  assert.equal(await next.publicKey(), newKey, 'the first reset was done once');
  await next.see(/no support bundle on the stick: ENOSPC/);
  await next.see(/the order to reset on the stick is followed/);
  await next.see(/moat: factory reset/);
  assert.notEqual(await next.publicKey(), newKey);
  await next.cut();
  assert.doesNotMatch(await must(['mdir', '-b', '-i', full, '::']), /support\.json/, 'half a bundle is taken away');
  return `by file and by signed order: new key, new /var; support bundle of ${Math.round(bundle.length / 1024)} KiB on the stick`;
}
