import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isDomainName } from './domain-name.ts';

test('names of hosts and domains, and what is none', () => {
  for (const good of [
    'a',
    'gw.example',
    'gw.example.',
    '_sip._udp.a-b.example',
    `${'a'.repeat(63)}.b`,
    'XN--80AK.Example',
  ])
    assert.ok(isDomainName(good), good);
  const bad = ['', '.', 'a..b', '.a', '-a.b', 'a-.b', 'a b', 'a.b/c', `${'a'.repeat(64)}.b`, `${'a.'.repeat(127)}a`];
  for (const text of bad) assert.ok(!isDomainName(text), text);
});

test('a long one that is nearly a name is refused in no time', () => {
  const began = performance.now();
  for (const text of [`${'a'.repeat(250)}!`, `${'a.'.repeat(120)}!`, `${'a-'.repeat(120)}!`])
    assert.ok(!isDomainName(text));
  assert.ok(performance.now() - began < 1000);
});
