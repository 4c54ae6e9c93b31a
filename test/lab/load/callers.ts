/**
 * `callers.ts FROM COUNT AT_ONCE PORTAL LOCAL [mlkem]`: boxes FROM to FROM + COUNT call the portal, so many at once, over one socket with
 * the real IKE core. A line of JSON when all are through: seconds of each call, and how many were up after each second.
 */
import { randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';
import type { IkeEffect, IkeEvent } from '../../../appliance/ike/api.ts';
import { createIkeEndpoint } from '../../../appliance/ike/endpoint.ts';
import { nameOf, portalOf } from './boxes.ts';

const [fromText = '0', countText = '1', atOnceText = '1', portal = '', own = '', ...options] = process.argv.slice(2);
const from = Number(fromText);
const count = Number(countText);
const atOnce = Number(atOnceText);
const port = 4500;
const markerLength = 4;

const endpoint = createIkeEndpoint({
  cookieThreshold: 1e9,
  halfOpenLimit: 1e9,
  natTraversalPort: port,
  timeOfDay: () => Date.now(),
});
for (let box = from; box < from + count; box += 1) endpoint.setPeer(portalOf(box, options.includes('mlkem')));
const path = { local: { address: own, port }, remote: { address: portal, port } };
const socket = createSocket({ type: 'udp4', recvBufferSize: 4 << 20 });
const env = () => ({ now: performance.now(), random: (length: number) => new Uint8Array(randomBytes(length)) });

const startedAt = new Map<string, number>();
const took: number[] = [];
const upAfter: number[] = [];
let next = from;
let began = 0;
let failures = 0;
let timer: NodeJS.Timeout | undefined;

function step(event: IkeEvent): void {
  for (const effect of endpoint.step(event, env())) perform(effect);
  clearTimeout(timer);
  const at = endpoint.wakeAt();
  if (at < Number.POSITIVE_INFINITY)
    timer = setTimeout(() => step({ kind: 'wake' }), Math.max(0, at - performance.now()));
}

function perform(effect: IkeEffect): void {
  if (effect.kind === 'send') {
    const datagram = Buffer.alloc(markerLength + effect.bytes.length);
    datagram.set(effect.bytes, markerLength);
    socket.send(datagram, port, portal);
  } else if (effect.kind === 'report') {
    if (effect.report.kind === 'childEstablished') up(effect.report.peer);
    else if (effect.report.kind === 'failed' && effect.report.peer !== null) again(effect.report.peer);
  }
}

function up(peer: string): void {
  const now = performance.now();
  took.push((now - (startedAt.get(peer) ?? now)) / 1000);
  const second = Math.floor((now - began) / 1000);
  upAfter[second] = (upAfter[second] ?? 0) + 1;
  if (took.length === count) finish();
  else callNext();
}

function again(peer: string): void {
  failures += 1;
  setTimeout(() => step({ kind: 'initiate', peer, path }), 1000);
}

function callNext(): void {
  if (next >= from + count) return;
  const peer = nameOf(next);
  next += 1;
  startedAt.set(peer, performance.now());
  // Not from within the step that made room for it.
  setImmediate(() => step({ kind: 'initiate', peer, path }));
}

function finish(): void {
  const seconds = (performance.now() - began) / 1000;
  const sorted = took.toSorted((a, b) => a - b);
  const { user, system } = process.cpuUsage();
  const { retransmitted = 0 } = endpoint.counters();
  const quantile = (share: number) => sorted[Math.min(count - 1, Math.floor(share * count))];
  console.log(
    JSON.stringify({
      ...{ count, seconds, perSecond: count / seconds, upAfter: Array.from(upAfter, (each) => each ?? 0) },
      ...{ median: quantile(0.5), p99: quantile(0.99), longest: quantile(1), failures, retransmitted },
      cpuSeconds: (user + system) / 1e6,
    }),
  );
  process.exit(0);
}

socket.on('message', (datagram) => {
  const isIke = datagram.length > markerLength && datagram.readUInt32BE() === 0;
  if (isIke) step({ kind: 'datagram', bytes: new Uint8Array(datagram.subarray(markerLength)), path });
});
socket.bind(port, own, () => {
  began = performance.now();
  for (let i = 0; i < atOnce; i += 1) callNext();
});
