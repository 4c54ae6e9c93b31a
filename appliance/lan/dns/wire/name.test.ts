import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { DecodeError } from '../../../lib/bytes.ts';
import { parseIp } from '../../../lib/ip.ts';
import {
  isWithin,
  labelsOf,
  lower,
  nameFromText,
  nameToText,
  parentOf,
  reverseName,
  root,
  selfAndAncestors,
} from './name.ts';

test('names in wire form', () => {
  assert.equal(nameFromText('WWW.moat'), '\x03www\x04moat\0');
  assert.equal(nameFromText('www.moat.'), '\x03www\x04moat\0');
  assert.equal(nameFromText('.'), root);
  assert.equal(nameFromText('a\\.b.c'), '\x03a.b\x01c\0', 'a dot within a label');
  assert.equal(nameFromText('\\000\\255.c'), '\x02\x00\xff\x01c\0');
  assert.equal(nameToText('\x03a.b\x01c\0'), 'a\\046b.c.');
});

test('what is no name is refused', () => {
  const texts = ['a..b', '.a', `${'x'.repeat(64)}.a`, Array(128).fill('a').join('.').concat('.aa'), 'a\\999.b', 'ä€.b'];
  for (const text of texts) assert.throws(() => nameFromText(text), DecodeError, text);
});

test('any labels survive text and back', () => {
  const label = fc.uint8Array({ minLength: 1, maxLength: 20 }).map((octets) => Buffer.from(octets).toString('latin1'));
  fc.assert(
    fc.property(fc.array(label, { maxLength: 8 }), (labels) => {
      const name = lower(`${labels.map((each) => String.fromCharCode(each.length) + each).join('')}\0`);
      assert.equal(nameFromText(nameToText(name)), name);
      assert.deepEqual(labelsOf(name).length, labels.length);
    }),
  );
});

test('ancestry is by labels, not by octets', () => {
  const moat = nameFromText('moat');
  assert.ok(isWithin(nameFromText('a.b.moat'), moat));
  assert.ok(isWithin(moat, moat));
  assert.ok(isWithin(moat, root));
  assert.ok(!isWithin(nameFromText('xmoat'), moat));
  // The last octets of this label look like the name `moat` in wire form.
  assert.ok(!isWithin('\x06a\x04moat\0', moat));
  assert.equal(parentOf(root), root);
  assert.deepEqual([...selfAndAncestors(nameFromText('a.b'))], ['\x01a\x01b\0', '\x01b\0', '\0']);
});

test('reverse names (RFC 1035 3.5, RFC 3596 2.5)', () => {
  assert.equal(nameToText(reverseName(parseIp('192.0.2.33'))), '33.2.0.192.in-addr.arpa.');
  assert.match(nameToText(reverseName(parseIp('2001:db8::1'))), /^1\.0\.0\..*\.8\.b\.d\.0\.1\.0\.0\.2\.ip6\.arpa\.$/);
});
