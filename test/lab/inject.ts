/**
 * Sends datagrams from inside a host: lines `ADDRESS PORT HEX` on stdin, to the end of stdin. A program of its own because
 * a socket belongs to the network namespace of the process that opens it.
 */
import { createSocket } from 'node:dgram';
import { createInterface } from 'node:readline';

const socket = createSocket('udp4');
for await (const line of createInterface({ input: process.stdin })) {
  const [address, port, hex = ''] = line.split(' ');
  await new Promise((sent) => socket.send(Buffer.from(hex, 'hex'), Number(port), address, sent));
}
socket.close();
