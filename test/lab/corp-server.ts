/**
 * What the corporation offers, on all addresses of its namespace:
 *   GET /                                a page
 *   GET /bytes/N?seed=S&marker=TEXT      N octets of `content`
 *   PUT /count                           answers { octets, sha256 } of what came
 *   UDP port 7                           echo
 * Prints `ready` when all of it listens.
 */
import { createHash } from 'node:crypto';
import { createSocket, type SocketType } from 'node:dgram';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { pipeline, Readable } from 'node:stream';
import { content, page } from './content.ts';

function sendBytes(url: URL, response: ServerResponse): void {
  const octets = Number(url.pathname.split('/')[2]);
  const seed = url.searchParams.get('seed') ?? '';
  response.writeHead(200, { 'content-type': 'application/octet-stream', 'content-length': octets });
  const body = Readable.from(content(seed, octets, url.searchParams.get('marker') ?? ''));
  pipeline(body, response, () => undefined);
}

async function count(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const hash = createHash('sha256');
  let octets = 0;
  for await (const chunk of request) {
    hash.update(chunk);
    octets += chunk.length;
  }
  response.end(JSON.stringify({ octets, sha256: hash.digest('hex') }));
}

function answer(request: IncomingMessage, response: ServerResponse): void {
  const url = new URL(request.url ?? '/', 'http://corp');
  if (request.method === 'PUT') count(request, response).catch(() => response.destroy());
  else if (url.pathname.startsWith('/bytes/')) sendBytes(url, response);
  else response.writeHead(200, { 'content-type': 'text/html' }).end(page);
}

async function echo(type: SocketType): Promise<void> {
  const socket = createSocket({ type, ipv6Only: type === 'udp6' });
  socket.on('message', (message, from) => socket.send(message, from.port, from.address));
  socket.bind(7);
  await once(socket, 'listening');
}

const server = createServer(answer);
server.listen(80, '::');
await Promise.all([once(server, 'listening'), echo('udp4'), echo('udp6')]);
console.log('ready');
