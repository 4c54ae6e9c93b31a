import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
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

test('a portal has its service and its database besides, and none of the tools', () => {
  const list = execFileSync(process.execPath, [join(top, 'rootfs/runtime-packages.ts'), '--portal'], {
    encoding: 'utf8',
  });
  const names = list.trim().split('\n');
  for (const name of ['express', 'kysely', 'nodemailer', 'zod'])
    assert.ok(names.includes(`node_modules/${name}`), name);
  assert.deepEqual(
    names.filter((name) => /typescript|biome|fast-check|@types|playwright/.test(name)),
    [],
  );
});

test('the programs of a portal compile, and find their page where it is installed', () => {
  const out = mkdtempSync(join(tmpdir(), 'moat-compiled-'));
  try {
    execFileSync(process.execPath, [join(top, 'rootfs/compile.ts'), out, 'portal']);
    const all = globSync('**/*.js', { cwd: out }).map((name) => readFileSync(join(out, name), 'utf8'));
    assert.ok(all.some((text) => text.includes('"/usr/lib/moat/provisioning/operator-api"')));
    assert.ok(existsSync(join(out, 'rootfs/portal/start.ts')) && existsSync(join(out, 'provisioning/cli/main.ts')));
    rmSync(out, { recursive: true });
    execFileSync(process.execPath, [join(top, 'rootfs/compile.ts'), out, 'home']);
    assert.equal(existsSync(join(out, 'provisioning')), false, 'the box has no web server');
    for (const name of globSync('**/*.js', { cwd: out }))
      assert.doesNotMatch(readFileSync(join(out, name), 'utf8'), /operator-api/, name);
  } finally {
    rmSync(out, { recursive: true, force: true });
  }
});

test('what makes no sense together is refused before anything is built', () => {
  const build = (...words: string[]) => spawnSync('bash', [join(top, 'images/build'), ...words], { encoding: 'utf8' });
  const token = join(top, 'package.json');
  assert.match(
    build('--board', 'pc', '--portal', '--enroll', token).stderr,
    /a portal enrols boxes, and enrols nowhere itself/,
  );
  assert.match(build('--board', 'pc', '--data', 'x').stderr, /--data 'x': expected MiB/);
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
