/** The corporate web server. Usage: corp.ts ADDRESS TEXT FOLDER. `/` is a page, `/large` 256 KiB, `/files/...` what the test put there. */
import { createReadStream, existsSync, statSync } from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';
import { basename, join } from 'node:path';

const [address = '127.0.0.1', text = '', folder = ''] = process.argv.slice(2);

/** RFC 9110 14.2: one range, or the whole. */
function giveFile(path: string, range: string | undefined, response: ServerResponse): void {
  const size = statSync(path).size;
  const [, first = '0', last = `${size - 1}`] = /^bytes=(\d+)-(\d+)$/.exec(range ?? '') ?? [];
  const [start, end] = [Number(first), Math.min(Number(last), size - 1)];
  if (start > end) return void response.writeHead(416).end();
  response.writeHead(range === undefined ? 200 : 206, { 'content-length': end - start + 1 });
  createReadStream(path, { start, end }).pipe(response);
}

createServer((request, response) => {
  const path = join(folder, basename(request.url ?? ''));
  if (request.url?.startsWith('/files/') && existsSync(path)) return giveFile(path, request.headers.range, response);
  if (request.url === '/large') return response.end(Buffer.alloc(262_144, 'x'));
  return response.end(`<!doctype html><h1>${text}</h1>\n`);
}).listen(80, address, () => console.log('listening'));
