/** The computer on the sofa asks for the time. Usage: sofa.ts SERVER; prints stratum and seconds since 1970 (RFC 5905 7.3). */
import { createSocket } from 'node:dgram';

const [server = ''] = process.argv.slice(2);
const eraSeconds = 2_208_988_800;
const question = new Uint8Array(48);
// Version 4, mode 3: a client.
question[0] = 0x23;
const socket = createSocket('udp4');
const timer = setInterval(() => socket.send(question, 123, server), 1000);
socket.send(question, 123, server);
socket.on('message', (answer) => {
  clearInterval(timer);
  socket.close();
  const [mode, stratum] = [(answer[0] ?? 0) & 7, answer[1]];
  console.log(JSON.stringify({ mode, stratum, seconds: answer.readUInt32BE(40) - eraSeconds }));
});
