import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DecodeError, fromHex, hex } from '../../lib/bytes.ts';
import { elements, encode, encodeOid, namedBits, oidOf, sequence, single, smallInteger, timeOf } from './der.ts';
import { nameKey, nameText, parseName } from './name.ts';

const first = (text: string) => elements(fromHex(text))[0];

test('elements are what X.690 says, and nothing that BER would allow besides', () => {
  assert.deepEqual(
    sequence(fromHex('3006' + '020105' + '0101ff')).map(({ tag }) => tag),
    [2, 1],
  );
  assert.equal(single(fromHex(`048180${'00'.repeat(128)}`), 4).content.length, 128);
  const wrong = ['04', '0402', '040205', '0480', '04810100', '0482000100', '04840000000100', '1f0100', '040000'];
  for (const text of wrong) assert.throws(() => single(fromHex(text), 4), DecodeError, text);
});

test('object identifiers, small integers, bits and times', () => {
  for (const oid of ['1.2.840.113549.1.1.11', '2.5.29.37.0', '2.999.3', '0.9.2342.19200300.100.1.25']) {
    assert.equal(oidOf(elements(encodeOid(oid))[0]), oid);
  }
  assert.equal(hex(encodeOid('1.2.840.10045.4.3.2')), '06082a8648ce3d040302');
  assert.throws(() => oidOf(first('0601ff')), DecodeError);
  assert.equal(smallInteger(first('020201f4')), 500);
  assert.throws(() => smallInteger(first('0201ff')), DecodeError);
  assert.deepEqual(
    ['03020106', '03020780', '0303070080'].map((text) => namedBits(first(text))),
    [0x60, 1, 0x100],
  );
  const at = (tag: number, text: string) => timeOf({ tag, whole: new Uint8Array(), content: Buffer.from(text) });
  assert.equal(at(0x17, '491231235959Z'), Date.UTC(2049, 11, 31, 23, 59, 59));
  assert.equal(at(0x17, '500101000000Z'), Date.UTC(1950, 0, 1));
  assert.equal(at(0x18, '20500101000000Z'), Date.UTC(2050, 0, 1));
  for (const text of ['20260101000000Z', '2601010000Z', '260101000000+0100'])
    assert.throws(() => at(0x17, text), DecodeError);
});

test('names are written as they are read, and compared by RFC 5280 7.1', () => {
  const text = 'C=CH, O=Acme\\, Ltd, CN=gw';
  assert.equal(nameText(parseName(text)), text);
  // SEQUENCE { SET { SEQUENCE { 2.5.4.6, PrintableString } }, SET { SEQUENCE { 2.5.4.3, UTF8String } } }
  assert.equal(
    hex(parseName('C=CH, CN=Zü')),
    '301b' + '310b3009' + '06035504061302' + '4348' + '310c300a' + '06035504030c03' + '5ac3bc',
  );
  assert.equal(nameKey(parseName('CN=A  b')), nameKey(parseName('CN= a B ')));
  assert.notEqual(nameKey(parseName('CN=a, O=b')), nameKey(parseName('O=b, CN=a')));
  for (const wrong of ['', 'gw', 'CN=', 'XX=1', 'CN=a, b']) assert.throws(() => parseName(wrong), TypeError, wrong);
  assert.equal(encode(4, new Uint8Array(300)).length, 304);
});
