import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { test } from 'node:test';

const root = resolve(import.meta.dirname, '..');

/** What each room may import besides itself and packages. Rooms are named by the longest matching path. */
const allowed: Readonly<Record<string, readonly string[]>> = {
  'appliance/lib': [],
  native: ['appliance/lib'],
  'appliance/config': ['appliance/lib'],
  'appliance/ike': ['appliance/lib'],
  'appliance/lan': ['appliance/lib', 'appliance/config', 'native'],
  'appliance/host': ['appliance/lib', 'appliance/config'],
  'appliance/tunnel': ['appliance/lib', 'appliance/config', 'appliance/ike', 'appliance/host', 'native'],
  'appliance/supervisor': [
    'appliance/lib',
    'appliance/config',
    'appliance/ike',
    'appliance/host',
    'appliance/tunnel',
    'native',
  ],
  // main and the commands
  appliance: [
    'appliance/lib',
    'appliance/config',
    'appliance/ike',
    'appliance/host',
    'appliance/tunnel',
    'appliance/supervisor',
  ],
  provisioning: ['appliance/config', 'appliance/lib'],
  images: ['rootfs'],
  rootfs: ['appliance/lib', 'appliance/config', 'appliance/host', 'appliance/supervisor'],
  // The part that only a portal's root has.
  'rootfs/portal': ['appliance/config', 'appliance/lib', 'rootfs', 'provisioning'],
};
const rooms = Object.keys(allowed).sort((a, b) => b.length - a.length);

function roomOf(path: string): string | undefined {
  // Services of the LAN are rooms of their own: none knows another.
  const service = /^appliance\/lan\/[^/]+/.exec(path)?.[0];
  return service ?? rooms.find((room) => path.startsWith(`${room}/`));
}

function importsOf(path: string): string[] {
  const text = readFileSync(join(root, path), 'utf8');
  return [...text.matchAll(/^\s*(?:import|export)\b[^'"]*?from '(\.[^']+)'/gm)].map((match) =>
    relative(root, resolve(root, dirname(path), match[1] ?? '')),
  );
}

/** Sentences about imports against the direction. */
function violations(path: string): string[] {
  const room = roomOf(path);
  if (room === undefined) return [];
  const rules = allowed[room] ?? allowed['appliance/lan'] ?? [];
  return importsOf(path).flatMap((target) => {
    const to = roomOf(target);
    if (to === undefined) return target === 'package.json' ? [] : [`${path} imports ${target}: outside every room`];
    return to === room || rules.includes(to) ? [] : [`${path} (${room}) imports ${target} (${to})`];
  });
}

test('imports go one way', () => {
  const files = globSync('{appliance,native,provisioning,images,rootfs}/**/*.ts', { cwd: root }).filter(
    (path) => !path.endsWith('.test.ts'),
  );
  assert.ok(files.length > 10, 'the files are found');
  assert.deepEqual(files.flatMap(violations), []);
});

test('the top level is as the design fixes it', () => {
  const fixed = ['package.json', 'appliance', 'rootfs', 'provisioning', 'native', 'test', 'images', 'README.md'];
  const tools = ['package-lock.json', 'tsconfig.json', 'biome.json', 'node_modules'];
  const found = globSync('*', { cwd: root });
  assert.deepEqual(
    found.filter((name) => !fixed.includes(name) && !tools.includes(name)),
    [],
  );
  assert.deepEqual(
    fixed.filter((name) => !found.includes(name)),
    [],
  );
});
