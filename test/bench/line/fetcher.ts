/**
 * Fetches a URL again and again, each time on a connection of its own, after a small one that does not count.
 * Usage: fetcher.ts URL COUNT AT_ONCE
 * Prints one line of JSON: { "ms": [milliseconds from connecting to the last octet, of each], "failed": n }.
 */
import { Agent, get } from 'node:http';

const [url = '', count = '1', atOnce = '1'] = process.argv.slice(2);
const agent = new Agent({ keepAlive: false, maxSockets: Number.POSITIVE_INFINITY });
const patienceMs = 60_000;

function fetchOnce(from: string): Promise<number | undefined> {
  const began = performance.now();
  return new Promise((resolve) => {
    const request = get(from, { agent, timeout: patienceMs }, (response) => {
      response.on('end', () => resolve(response.statusCode === 200 ? performance.now() - began : undefined));
      response.on('error', () => resolve(undefined));
      response.resume();
    });
    request.on('timeout', () => request.destroy());
    request.on('error', () => resolve(undefined));
  });
}

const ms: number[] = [];
let failed = 0;
let begun = 0;

async function oneAfterTheOther(): Promise<void> {
  while (begun < Number(count)) {
    begun += 1;
    const took = await fetchOnce(url);
    if (took === undefined) failed += 1;
    else ms.push(took);
  }
}

// The first one pays for what a process does once.
await fetchOnce(`${new URL('/small', url)}`);
await Promise.all(Array.from({ length: Number(atOnce) }, oneAfterTheOther));
console.log(JSON.stringify({ ms: ms.map((value) => Number(value.toFixed(3))), failed }));
