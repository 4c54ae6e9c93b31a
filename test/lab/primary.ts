/**
 * A corporate DNS primary with one small zone, for boxes that are secondaries of it: SOA by UDP and TCP, AXFR by TCP. Each line of
 * standard input is a JSON object of names and addresses, which becomes the next version of the zone and is told to the
 * secondaries that have asked (NOTIFY). Usage: primary.ts ORIGIN; prints `ready`.
 */
import { createSocket } from 'node:dgram';
import { createServer, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { record, soaRecord } from '../../appliance/lan/dns/testing.ts';
import { decodeMessage, type Rr } from '../../appliance/lan/dns/wire/message.ts';
import { nameFromText } from '../../appliance/lan/dns/wire/name.ts';
import { Class, Flag, Type } from '../../appliance/lan/dns/wire/numbers.ts';
import { MessageWriter } from '../../appliance/lan/dns/wire/writer.ts';

const [origin = 'corp.example'] = process.argv.slice(2);
const axfr = 252;
const notifyFlags = 0x2400; // opcode 4, authoritative
let serial = 1;
let hosts: Readonly<Record<string, string>> = {};
const secondaries = new Set<string>();

function recordsOf(type: number): Rr[] {
  const soa = soaRecord(origin, serial);
  if (type !== axfr) return [soa];
  const addresses = Object.entries(hosts).map(([name, address]) => record(`${name}.${origin}`, 'A', address));
  return [soa, record(origin, 'NS', `ns.${origin}`), ...addresses, soa];
}

function answer(bytes: Buffer, from: string): Buffer {
  const { id, questions } = decodeMessage(bytes);
  const [question] = questions;
  secondaries.add(from.replace(/^::ffff:/, ''));
  const writer = new MessageWriter(id, Flag.QR | Flag.AA);
  if (question) writer.question(question.name, question.type, question.class);
  for (const each of recordsOf(question?.type ?? Type.SOA)) writer.record(1, each);
  return writer.finish();
}

const udp = createSocket('udp4');
udp.on('message', (bytes, from) => udp.send(answer(bytes, from.address), from.port, from.address));

function serve(socket: Socket): void {
  let received = Buffer.alloc(0);
  socket.on('error', () => socket.destroy());
  socket.on('data', (chunk) => {
    received = Buffer.concat([received, chunk]);
    while (received.length >= 2 && received.length >= 2 + received.readUInt16BE(0)) {
      const length = received.readUInt16BE(0);
      const reply = answer(received.subarray(2, 2 + length), socket.remoteAddress ?? '');
      const head = Buffer.alloc(2);
      head.writeUInt16BE(reply.length);
      socket.write(Buffer.concat([head, reply]));
      received = received.subarray(2 + length);
    }
  });
}

createInterface({ input: process.stdin }).on('line', (line) => {
  hosts = JSON.parse(line) as Record<string, string>;
  serial += 1;
  const writer = new MessageWriter(serial, notifyFlags);
  writer.question(nameFromText(origin), Type.SOA, Class.IN);
  const notify = writer.finish();
  for (const address of secondaries) udp.send(notify, 53, address);
});

udp.bind(53, () => createServer(serve).listen(53, () => console.log('ready')));
