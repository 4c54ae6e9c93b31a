import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { test } from 'node:test';
import { services } from './services.ts';

/** What a file loads when it is loaded: packages by name, and all that the files it imports load. */
function loadedBy(path: string, seen = new Set<string>()): Set<string> {
  if (seen.has(path) || !existsSync(path)) return seen;
  seen.add(path);
  const text = readFileSync(path, 'utf8');
  for (const [, what = '', from = ''] of text.matchAll(/^(?:import|export) ([^;]*?)from '([^']+)'/gm)) {
    if (what.startsWith('type ')) continue;
    if (from.startsWith('.')) loadedBy(resolve(dirname(path), from), seen);
    else seen.add(from);
  }
  return seen;
}

test('no service loads the schema library: it is 20 MB in each of them, and they get what was parsed', () => {
  for (const { name, script } of services) {
    const loaded = loadedBy(script);
    assert.ok(loaded.size > 5, `${name} was read`);
    assert.ok(
      !loaded.has('zod'),
      `${name} loads zod: ${[...loaded].filter((path) => path.includes('/config/')).join(' ')}`,
    );
  }
  const [config] = [...loadedBy(resolve(import.meta.dirname, '../config/schema.ts'))].filter((each) => each === 'zod');
  assert.equal(config, 'zod', 'the test sees it where it is');
});
