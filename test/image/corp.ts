/** The corporate web server. Usage: corp.ts ADDRESS TEXT. `/` is a page, `/large` 256 KiB, `/files/...` what the test put there. */
import { createReadStream, existsSync } from 'node:fs';
import { createServer } from 'node:http';
import { basename, join } from 'node:path';

const [address = '127.0.0.1', text = '', folder = ''] = process.argv.slice(2);
createServer((request, response) => {
  if (request.url === '/large') return response.end(Buffer.alloc(262_144, 'x'));
  const file = join(folder, basename(request.url ?? ''));
  if (folder !== '' && request.url?.startsWith('/files/') && existsSync(file))
    return createReadStream(file).pipe(response);
  return response.end(`<!doctype html><h1>${text}</h1>\n`);
}).listen(80, address, () => console.log('listening'));
