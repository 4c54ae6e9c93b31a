/** `transfer.ts URL`: fetches it and prints, as JSON, how much came with what hash and the longest time in which nothing came. */
import { createHash } from 'node:crypto';
import { get } from 'node:http';

const [url = ''] = process.argv.slice(2);
const hash = createHash('sha256');
const began = performance.now();
let octets = 0;
let lastAt = began;
let longestStallMs = 0;

get(url, (response) => {
  console.log('{"started":true}');
  lastAt = performance.now();
  response.on('data', (chunk: Buffer) => {
    const now = performance.now();
    longestStallMs = Math.max(longestStallMs, now - lastAt);
    lastAt = now;
    octets += chunk.length;
    hash.update(chunk);
  });
  response.on('end', () => {
    const seconds = (performance.now() - began) / 1000;
    console.log(JSON.stringify({ octets, sha256: hash.digest('hex'), longestStallMs, seconds }));
  });
}).on('error', (error) => {
  console.log(JSON.stringify({ error: error.message, octets }));
  process.exitCode = 1;
});
