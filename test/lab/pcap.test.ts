import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parsePcap } from './pcap.ts';

/** A capture file of Ethernet frames with the given IP packets. */
function file(...packets: string[]): Buffer {
  const header = Buffer.from('d4c3b2a1020004000000000000000000ffff000001000000', 'hex');
  const records = packets.map((hex) => {
    const frame = Buffer.concat([Buffer.alloc(14), Buffer.from(hex.replaceAll(' ', ''), 'hex')]);
    const record = Buffer.alloc(16);
    record.writeUInt32LE(1000, 0);
    record.writeUInt32LE(500_000, 4);
    record.writeUInt32LE(frame.length, 8);
    record.writeUInt32LE(frame.length, 12);
    return Buffer.concat([record, frame]);
  });
  return Buffer.concat([header, ...records]);
}

const udp4 = '4500001c 00004000 3e110000 0a4d0164 0a01000a 11941194 00080000';
const laterFragment4 = '4500001c 00000001 3e110000 0a4d0164 0a01000a 11941194 00080000';
const fragment6 = `60000000 00102c3d ${'fd770001000000000000000000000100'} ${'fd010001000000000000000000000010'} 11000001 00000001 01f401f4 00080000`;

test('IPv4 UDP with DF', () => {
  const [packet] = parsePcap(file(udp4));
  assert.equal(packet?.time, 1000.5);
  assert.deepEqual(
    [packet?.source, packet?.destination, packet?.sourcePort, packet?.destinationPort, packet?.length, packet?.hops],
    ['10.77.1.100', '10.1.0.10', 4500, 4500, 28, 62],
  );
  assert.deepEqual([packet?.dontFragment, packet?.isFragment], [true, false]);
});

test('a later fragment has no ports', () => {
  const [packet] = parsePcap(file(laterFragment4));
  assert.deepEqual([packet?.isFragment, packet?.sourcePort], [true, 0]);
});

test('the first fragment of an IPv6 packet', () => {
  const [packet] = parsePcap(file(fragment6));
  assert.deepEqual(
    [packet?.protocol, packet?.isFragment, packet?.sourcePort, packet?.source, packet?.length],
    [17, true, 500, 'fd77:1::100', 56],
  );
});

test('a file that was cut off gives what is whole in it', () => {
  const whole = file(udp4, udp4);
  assert.equal(parsePcap(whole.subarray(0, whole.length - 45)).length, 1);
});

test('frames that are no IP are left out; another format is an error', () => {
  assert.deepEqual(parsePcap(file('0001080006040001')), []);
  assert.throws(() => parsePcap(Buffer.alloc(40)), /not a pcap file/);
});
