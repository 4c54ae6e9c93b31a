import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

const root = join(import.meta.dirname, '../..');
const web = join(import.meta.dirname, '../web');

test("the page's code has types too", () => {
  execFileSync(join(root, 'node_modules/.bin/tsc'), ['-p', 'provisioning/tsconfig.web.json'], { cwd: root });
});

test('the page makes no HTML out of text', () => {
  for (const file of readdirSync(web).filter((name) => name.endsWith('.js'))) {
    const text = readFileSync(join(web, file), 'utf8');
    assert.ok(!/innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|style=/.test(text), file);
  }
});
