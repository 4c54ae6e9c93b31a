/**
 * `flood.ts ADDRESS PER_SECOND SECONDS`: beginnings of IKE SAs, and between them every ten milliseconds a message for an SA; prints how many of
 * each as JSON when all are sent.
 */
import { createSocket } from 'node:dgram';

const [address = '', perSecond = '0', seconds = '0'] = process.argv.slice(2);
const port = 500;
const [exchangeAt, flagsAt, fromInitiator] = [18, 19, 0x08];
const headerLength = 28;

function message(exchange: number): Buffer {
  const octets = Buffer.alloc(headerLength, 1);
  octets[exchangeAt] = exchange;
  octets[flagsAt] = fromInitiator;
  return octets;
}

const [init, informational] = [message(34), message(37)];
const socket = createSocket('udp4');
const sent = { strangers: 0, known: 0 };
const began = performance.now();
const timer = setInterval(() => {
  const elapsed = performance.now() - began;
  for (; sent.strangers < (elapsed * Number(perSecond)) / 1000; sent.strangers += 1) socket.send(init, port, address);
  for (; sent.known < elapsed / 10; sent.known += 1) socket.send(informational, port, address);
  if (elapsed < Number(seconds) * 1000) return;
  clearInterval(timer);
  setTimeout(() => {
    console.log(JSON.stringify(sent));
    process.exit(0);
  }, 100);
}, 1);
