import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { sbom } from './sbom.ts';

const top = join(import.meta.dirname, '..');

test('the bill of materials names Debian and npm packages with what identifies them', () => {
  const bill = sbom({
    debian: 'libc6 2.41-12 amd64\ndash 0.5.12 amd64\n',
    npm: ['node_modules/zod'],
    top,
    product: { name: 'moat-pc', version: '0.1.0', serial: 0 },
  }) as { components: { name: string; purl: string }[]; metadata: { timestamp: string } };
  assert.deepEqual(
    bill.components.map(({ name }) => name),
    ['libc6', 'dash', 'zod'],
  );
  assert.equal(bill.components[0]?.purl, 'pkg:deb/debian/libc6@2.41-12?arch=amd64&distro=trixie');
  assert.match(bill.components[2]?.purl ?? '', /^pkg:npm\/zod@\d/);
  assert.equal(bill.metadata.timestamp, '1970-01-01T00:00:00.000Z');
});

test('the box gets the packages that it imports and none of the tools', () => {
  const list = execFileSync(process.execPath, [join(top, 'rootfs/runtime-packages.ts')], { encoding: 'utf8' })
    .trim()
    .split('\n');
  assert.ok(list.includes('node_modules/zod') && list.includes('node_modules/pino'));
  assert.deepEqual(
    list.filter((name) => /typescript|biome|fast-check|types|express|kysely/.test(name)),
    [],
  );
});

test('every place that knows where the boot state is says the same', () => {
  const read = (path: string) => readFileSync(join(top, path), 'utf8');
  const sector = Number(/^state_sector=(\d+)$/m.exec(read('images/partitions.sh'))?.[1]);
  assert.equal(Number(/bootStateOffset = (\d+)/.exec(read('rootfs/box/disk.ts'))?.[1]), sector * 512);
  assert.deepEqual(read('rootfs/initramfs/slots.sh').match(/(skip|seek)=\d+/g), [
    `skip=${sector / 2}`,
    `seek=${sector / 2}`,
  ]);
});

test('every package of the root has a reason', () => {
  for (const list of ['rootfs/packages.txt', 'rootfs/tools.txt']) {
    const lines = readFileSync(join(top, list), 'utf8')
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'));
    for (const line of lines) assert.match(line, /^[a-z0-9][a-z0-9+.-]* +\S.{5,}$/, list);
  }
});
