/**
 * Prints the npm packages that the box needs (folders below the tree): what its sources import, and what those depend on.
 * Usage: runtime-packages.ts [NAME...]; with names only these and what they depend on. `--portal`: what a portal needs.
 */
import { globSync, readFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { join } from 'node:path';

const top = join(import.meta.dirname, '..');
const sources = ['appliance/**/*.ts', 'native/**/*.ts', 'rootfs/box/**/*.ts'];
const portalSources = ['provisioning/!(testing|web|device-client)/**/*.ts', 'rootfs/portal/**/*.ts'];

interface Locked {
  readonly dependencies?: Readonly<Record<string, string>>;
}

function imported(path: string): string[] {
  const text = readFileSync(join(top, path), 'utf8');
  const statements = /^\s*(?:import|export)\b[^'"]*?from '([^'.][^']*)'|\b(?:import|require)\('([^'.][^']*)'\)/gm;
  return [...text.matchAll(statements)].flatMap(([, name = '', called = '']) => packagesOf(name || called));
}

function packagesOf(name: string): string[] {
  return isBuiltin(name) ? [] : [packageName(name)];
}

/** `@scope/name/file` -> `@scope/name` */
function packageName(specifier: string): string {
  return specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/');
}

/** Where Node finds a package from a folder: the nearest node_modules. */
function resolveFrom(folder: string, name: string, locked: Readonly<Record<string, Locked>>): string {
  for (let at = folder; ; at = at.slice(0, Math.max(0, at.lastIndexOf('node_modules/') - 1))) {
    const candidate = `${at === '' ? '' : `${at}/`}node_modules/${name}`;
    if (locked[candidate] !== undefined) return candidate;
    if (at === '') throw new Error(`package-lock.json has no ${name}`);
  }
}

const { packages } = JSON.parse(readFileSync(join(top, 'package-lock.json'), 'utf8')) as {
  packages: Record<string, Locked>;
};
const isPortal = process.argv.includes('--portal');
const wanted = process.argv.slice(2).filter((word) => word !== '--portal');
const inSources = () =>
  globSync(isPortal ? [...sources, ...portalSources] : sources, { cwd: top })
    .filter((path) => !path.endsWith('.test.ts'))
    .flatMap(imported);
const names = wanted.length > 0 ? wanted : inSources();
const found = new Set<string>();
const pending = [...new Set(names)].map((name) => resolveFrom('', name, packages));
for (let folder = pending.pop(); folder !== undefined; folder = pending.pop()) {
  if (found.has(folder)) continue;
  found.add(folder);
  for (const name of Object.keys(packages[folder]?.dependencies ?? {}))
    pending.push(resolveFrom(folder, name, packages));
}
console.log([...found].sort().join('\n'));
