import assert from 'node:assert/strict';
import { test } from 'node:test';
import { zonesSchema } from '../config/zones.ts';
import { placeZones } from './interfaces.ts';
import { queueWishes } from './queue.ts';

const zones = (change: object) =>
  zonesSchema.parse([
    { name: 'wild', kind: 'wild', interface: 'wan', ...change },
    { name: 'work', kind: 'work', interface: 'lan', addresses: ['10.77.1.1/24'] },
  ]);
const wishes = (change: object) => queueWishes(zones(change), placeZones(zones(change), []));

test('the wild side alone has a queue of ours, the best that the kernel has', () => {
  assert.deepEqual(wishes({}), [{ zone: 'wild', device: 'wan', attempts: ['cake besteffort', 'fq_codel'] }]);
});

test('with a rate the narrow place is ours, and what waits there waits milliseconds', () => {
  assert.deepEqual(wishes({ uplinkMbit: 9.5 })[0]?.attempts, [
    'cake bandwidth 9500kbit besteffort',
    'tbf rate 9500kbit burst 4000 latency 15ms',
  ]);
  assert.equal(zonesSchema.safeParse([{ name: 'w', kind: 'wild', port: 1, uplinkMbit: 0 }]).success, false);
});
