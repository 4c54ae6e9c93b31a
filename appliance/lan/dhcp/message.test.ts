import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { DecodeError, fromHex, hex } from '../../lib/bytes.ts';
import { decodeRequest, destinationOf, encodeReply, type Reply } from './message.ts';
import { messageType, option } from './numbers.ts';
import { decodeOptions, layout, placeOptions, type RawOption } from './options.ts';
import { clientMessage, testMac } from './testing.ts';

const reply: Reply = {
  ...{ type: messageType.ack, xid: 7, broadcast: false, mac: testMac, file: '', sname: '' },
  ...{ ciaddr: '0.0.0.0', yiaddr: '10.0.0.9', siaddr: '0.0.0.0', giaddr: '0.0.0.0' },
  options: [[option.messageType, Uint8Array.of(5)]],
  last: [],
};

test('a DISCOVER comes apart', () => {
  const request = decodeRequest(
    clientMessage({
      type: messageType.discover,
      xid: 0xdeadbeef,
      flags: 0x8000,
      requested: '10.0.0.7',
      options: [
        [option.clientIdentifier, fromHex('01020000000001')],
        [option.parameterRequestList, Uint8Array.of(1, 3, 6, 121)],
        [option.maximumMessageSize, Uint8Array.of(5, 220)],
      ],
    }),
  );
  assert.equal(request.type, messageType.discover);
  assert.equal(request.xid, 0xdeadbeef);
  assert.equal(request.mac, testMac);
  assert.equal(request.broadcast, true);
  assert.equal(request.requestedAddress, '10.0.0.7');
  assert.deepEqual(request.parameterRequestList, [1, 3, 6, 121]);
  assert.equal(request.maximumMessageSize, 1500);
  assert.equal(hex(request.options.get(option.clientIdentifier) ?? new Uint8Array()), '01020000000001');
});

test('PAD is one octet, pieces of an option are joined, overloaded fields are read (RFC 3396, RFC 2132 9.3)', () => {
  const octets = clientMessage({
    type: messageType.discover,
    options: [
      [option.overload, Uint8Array.of(3)],
      [option.clientIdentifier, Uint8Array.of(0, 1)],
    ],
  });
  const padded = new Uint8Array([...octets.subarray(0, layout.options), 0, 0, ...octets.subarray(layout.options)]);
  padded.set([61, 2, 2, 3, 255], layout.file);
  padded.set([12, 1, 0x61, 61, 1, 4, 255], layout.sname);
  const options = decodeOptions(padded);
  assert.deepEqual(options.get(option.clientIdentifier), Uint8Array.of(0, 1, 2, 3, 4));
  assert.deepEqual(options.get(option.hostName), Uint8Array.of(0x61));
  assert.equal(decodeRequest(padded).type, messageType.discover);
});

test('what the package would die of or mangle never reaches it', () => {
  for (const code of [50, 52, 55, 56, 60, 61, 80, 116, 145, 82, 119, 121, 200]) {
    const list: RawOption = [option.parameterRequestList, Uint8Array.of(code)];
    const options = code === 55 ? [list] : [list, [code, Uint8Array.of(1, 2, 3, 4)] as const];
    const request = decodeRequest(clientMessage({ type: messageType.discover, options }));
    assert.deepEqual(request.parameterRequestList, [code]);
  }
});

test('octets that are no request are refused, each for its reason', () => {
  const good = clientMessage({ type: messageType.discover });
  const changed = (at: number, value: number) => Uint8Array.from(good, (octet, i) => (i === at ? value : octet));
  assert.throws(() => decodeRequest(good.subarray(0, 239)), DecodeError);
  assert.throws(() => decodeRequest(new Uint8Array(1501)), DecodeError);
  assert.throws(() => decodeRequest(changed(0, 2)), /no request/);
  assert.throws(() => decodeRequest(changed(1, 6)), /not Ethernet/);
  assert.throws(() => decodeRequest(changed(2, 16)), /not Ethernet/);
  assert.throws(() => decodeRequest(changed(28, 0xff)), /group/);
  assert.throws(() => decodeRequest(changed(236, 0)), /cookie/);
  assert.throws(() => decodeRequest(changed(240, 99)), /message type/);
  assert.throws(() => decodeRequest(changed(241, 200)), DecodeError);
  const short = clientMessage({ type: 1, options: [[option.requestedAddress, Uint8Array.of(1)]] });
  assert.throws(() => decodeRequest(short), /option 50 has 1 octets/);
});

test('any octets behind a good header decode or are refused, never anything else', () => {
  const header = clientMessage({ type: 1 }).subarray(0, layout.options);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 600 }), (tail) => {
      try {
        decodeRequest(new Uint8Array([...header, ...tail]));
      } catch (error) {
        assert.ok(error instanceof DecodeError, String(error));
      }
    }),
    { numRuns: 2000 },
  );
});

const rawOption = fc.tuple(
  fc.integer({ min: 1, max: 254 }).filter((code) => code !== option.overload && code !== 53 && code !== 82),
  fc.uint8Array({ maxLength: 700 }),
);

test('options come back as they went, however long, or are named as dropped', () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(rawOption, { selector: ([code]) => code, maxLength: 12 }),
      fc.nat(1200),
      (list, extra) => {
        const last: RawOption[] = [[option.relayAgentInformation, Uint8Array.of(1, 2, 3)]];
        const first: RawOption = [option.messageType, Uint8Array.of(5)];
        const limit = 576 + extra;
        const { octets, dropped } = encodeReply({ ...reply, options: [first, ...list], last }, limit);
        assert.ok(octets.length <= limit - 28, `${octets.length} octets in ${limit}`);
        assert.ok(octets.length >= 300);
        const seen = decodeOptions(octets);
        for (const [code, value] of list) {
          if (dropped.includes(code)) assert.equal(seen.get(code), undefined);
          else assert.deepEqual(seen.get(code), value);
        }
        assert.deepEqual(seen.get(option.relayAgentInformation), Uint8Array.of(1, 2, 3));
        assert.deepEqual(seen.get(option.messageType), Uint8Array.of(5));
      },
    ),
  );
});

test('options spill into file, then sname, before any is dropped', () => {
  const options: RawOption[] = [
    [1, new Uint8Array(50)],
    [2, new Uint8Array(100)],
    [3, new Uint8Array(40)],
    [4, new Uint8Array(60)],
    [5, new Uint8Array(200)],
  ];
  const placed = placeOptions(options, [], { options: 60, file: 128, sname: 64 });
  assert.deepEqual(placed.dropped, [4, 5]);
  assert.deepEqual([placed.file[0], placed.sname[0]], [2, 3]);
  assert.deepEqual([...placed.options.subarray(52, 55)], [option.overload, 1, 3]);
});

test('option 82 is the last one (RFC 3046 2.2)', () => {
  const last: RawOption[] = [[option.relayAgentInformation, Uint8Array.of(9)]];
  const { octets } = encodeReply({ ...reply, options: [...reply.options, [121, new Uint8Array(8)]], last }, 576);
  assert.match(hex(octets), /520109ff0*$/);
});

test('header fields are where RFC 2131 has them', () => {
  const { octets } = encodeReply({ ...reply, broadcast: true, file: 'boot.efi', sname: 'tftp' }, 576);
  assert.equal(hex(octets.subarray(0, 12)), '020106000000000700008000');
  assert.equal(hex(octets.subarray(16, 20)), '0a000009');
  assert.equal(hex(octets.subarray(28, 44)), '02000000000100000000000000000000');
  assert.equal(Buffer.from(octets.subarray(44, 48)).toString(), 'tftp');
  assert.equal(Buffer.from(octets.subarray(108, 116)).toString(), 'boot.efi');
  assert.equal(hex(octets.subarray(236, 244)), '63825363350105ff');
});

test('replies go where RFC 2131 4.1 wants them', () => {
  const at = (change: object, answer: object = {}, onLink = true) => {
    const request = decodeRequest(clientMessage({ type: messageType.request, ...change }));
    return destinationOf(request, { ...reply, ...answer }, onLink);
  };
  const everyone = { kind: 'frame', mac: 'ff:ff:ff:ff:ff:ff', address: '255.255.255.255' };
  assert.deepEqual(at({ giaddr: '10.9.0.1', ciaddr: '10.9.0.5' }), {
    kind: 'datagram',
    address: '10.9.0.1',
    port: 'server',
  });
  assert.deepEqual(at({ ciaddr: '10.0.0.9' }, {}, false), { kind: 'datagram', address: '10.0.0.9', port: 'client' });
  assert.deepEqual(at({ ciaddr: '10.0.0.9' }, {}, true), { kind: 'frame', mac: testMac, address: '10.0.0.9' });
  assert.deepEqual(at({ flags: 0x8000 }), everyone);
  assert.deepEqual(at({}), { kind: 'frame', mac: testMac, address: '10.0.0.9' });
  assert.deepEqual(at({ ciaddr: '10.0.0.9' }, { type: messageType.nak }), everyone);
  assert.deepEqual(at({ giaddr: '10.9.0.1' }, { type: messageType.nak }).kind, 'datagram');
});
