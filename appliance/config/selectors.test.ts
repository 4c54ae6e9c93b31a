import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseSelector } from './selectors.ts';

test('a selector is a network, and in brackets the protocol and the ports', () => {
  const all = { startAddress: '10.1.0.0', endAddress: '10.1.255.255', protocol: 0, startPort: 0, endPort: 65535 };
  assert.deepEqual(parseSelector('10.1.0.0/16'), all);
  assert.deepEqual(parseSelector('10.1.0.0/16[tcp]'), { ...all, protocol: 6 });
  assert.deepEqual(parseSelector('10.1.0.0/16[udp/53]'), { ...all, protocol: 17, startPort: 53, endPort: 53 });
  assert.deepEqual(parseSelector('10.1.0.0/16[6/1-9]'), { ...all, protocol: 6, startPort: 1, endPort: 9 });
  for (const text of [
    '10.1.0.0',
    '10.1.0.1/16',
    '10.1.0.0/16[]',
    '10.1.0.0/16[tls]',
    '10.1.0.0/16[tcp/9-1]',
    '10.1.0.0/16[tcp/70000]',
    '10.1.0.0/16[256]',
  ]) {
    assert.throws(() => parseSelector(text), TypeError, text);
  }
});
