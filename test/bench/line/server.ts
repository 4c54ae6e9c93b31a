/**
 * What is fetched over the bad line, at port 8080 of every address of its host:
 *   GET /small      a kilobyte, the size of a small page
 *   GET /text/N     N octets that compress to a sixth
 *   GET /noise/N    N octets that do not compress
 * Prints `ready` when it listens.
 */
import { once } from 'node:events';
import { createServer } from 'node:http';
import { content } from '../../lab/content.ts';

const words = 'the box carries every packet of the house to the company and back without asking anybody'.split(' ');

/** Words in an order that does not repeat (a linear congruential generator), as prose would. */
function text(octets: number): Buffer {
  let state = 1;
  let said = '';
  while (said.length < octets) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    said += `${words[(state >>> 16) % words.length]} `;
  }
  return Buffer.from(said.slice(0, octets), 'latin1');
}

function bodyOf(path: string): Buffer | undefined {
  const [, kind, size = ''] = path.split('/');
  const octets = Number(size);
  if (kind === 'small') return text(1024);
  if (!Number.isInteger(octets) || octets < 0 || octets > 1e8) return undefined;
  if (kind === 'text') return text(octets);
  return kind === 'noise' ? Buffer.concat([...content('line', octets)]) : undefined;
}

const server = createServer((request, response) => {
  const body = bodyOf(request.url ?? '/');
  if (body) response.writeHead(200, { 'content-length': body.length }).end(body);
  else response.writeHead(404).end();
});
server.listen(8080, '::');
await once(server, 'listening');
console.log('ready');
