import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { cleanHostname, encodeName, requestedHostname } from './names.ts';
import { option } from './numbers.ts';

test('what people call their devices becomes a DNS label', () => {
  const cleaned = {
    'DESKTOP-4F': 'desktop-4f',
    'Anna’s iPhone': 'annas-iphone',
    'büro pc.example.com': 'buro-pc',
    '-_-printer-_-': 'printer',
    '': '',
    '...': '',
    '12345': '',
    wpad: '',
    LOCALHOST: '',
    '*': '',
  };
  for (const [name, expected] of Object.entries(cleaned)) assert.equal(cleanHostname(name), expected, name);
});

test('whatever a client sends, the name is a label or empty', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.boolean(), (octets, fqdn) => {
      const name = requestedHostname(new Map([[fqdn ? option.clientFqdn : option.hostName, octets]]));
      assert.match(name, /^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)?$/);
    }),
    { numRuns: 2000 },
  );
});

test('names on the wire', () => {
  assert.equal(Buffer.from(encodeName('a.bc')).toString('latin1'), '\x01a\x02bc\x00');
});
