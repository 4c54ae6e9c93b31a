import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { runFlow } from './flow.ts';
import { formatRate, isBinomial } from './measures.ts';
import { World } from './world.ts';

const skip = process.getuid?.() === 0 ? false : 'needs root (network namespaces)';

describe('impair', { skip }, () => {
  let world: World;
  before(async () => {
    world = await World.up({ plainPath: true, name: 'impair-test' });
  });
  after(() => world.down());

  const corp4 = '10.1.0.10';
  const corp6 = 'fd01:1::10';
  /** 4000 packets in two seconds, slow enough that nothing but the impairment loses one. */
  const flow = (options = {}) =>
    runFlow(world.pc, world.corp, { target: corp4, octets: 200, rateMbit: 3.2, seconds: 2, ...options });

  test('nothing set: nothing lost, nothing changed, one router like before', async () => {
    await world.internet.impair({});
    const result = await flow();
    assert.deepEqual([result.lost, result.duplicates, result.corrupted, result.reordered], [0, 0, 0, 0]);
    assert.equal((await world.pc.ping(corp4)).ttl, 61);
    assert.equal((await world.pc.ping(corp6)).ttl, 61);
  });

  test('delay is never less than told, each direction its own', async (context) => {
    await world.internet.impair({ up: { delayMs: 7 }, down: { delayMs: 3.5 } });
    const { times, median } = await world.pc.ping(corp4, { count: 100, interval: 5 });
    assert.ok(Math.min(...times) >= 10.5, `${Math.min(...times)}`);
    // Strict below, wide above: other programs share the processors.
    assert.ok(median < 25, `${median}`);
    context.diagnostic(`10.5 ms became ${median} ms`);
  });

  test('jitter spreads the times and keeps the order', async () => {
    await world.internet.impair({ up: { delayMs: 10, jitterMs: 5 } });
    const { times, order } = await world.pc.ping(corp4, { count: 200, interval: 2 });
    assert.ok(Math.max(...times) - Math.min(...times) > 4, 'spread');
    assert.deepEqual(
      order,
      order.toSorted((a, b) => a - b),
    );
  });

  test('loss of 10 % is 10 %, and a seed repeats it exactly', async () => {
    const missing: (readonly number[])[] = [];
    for (let round = 0; round < 2; round += 1) {
      await world.internet.impair({ up: { lossPercent: 10, seed: 4711 } });
      const { lost, sent, missing: numbers } = await flow();
      assert.ok(isBinomial(lost, sent, 0.1), `${lost} of ${sent}`);
      missing.push(numbers);
    }
    assert.deepEqual(missing[0], missing[1]);
  });

  test('bursts: the same share is lost, in longer runs', async () => {
    await world.internet.impair({ up: { lossPercent: 10, lossBurst: 8, seed: 5 } });
    const { lost, sent, missing } = await flow({ seconds: 4 });
    assert.ok(lost > 0.05 * sent && lost < 0.16 * sent, `${lost} of ${sent}`);
    const neighbours = missing.filter((number, i) => missing[i - 1] === number - 1).length;
    assert.ok(neighbours > missing.length / 2, `${missing}`);
  });

  test('duplicates and corruption come in their shares', async () => {
    await world.internet.impair({ up: { duplicatePercent: 5, seed: 9 } });
    const doubled = await flow();
    assert.ok(isBinomial(doubled.duplicates, doubled.sent, 0.05), `${doubled.duplicates}`);
    await world.internet.impair({ up: { corruptPercent: 5, seed: 9 } });
    const broken = await flow();
    // A flipped bit fails the UDP checksum, so the kernel drops the packet before the program sees it.
    assert.ok(isBinomial(broken.lost, broken.sent, 0.05), `${broken.lost}`);
  });

  test('reordering by packets and by time loses nothing', async () => {
    await world.internet.impair({ up: { reorderPercent: 10, reorderPackets: 3, seed: 2 } });
    const byPackets = await flow();
    assert.equal(byPackets.lost, 0);
    assert.ok(isBinomial(byPackets.reordered, byPackets.sent, 0.1), `${byPackets.reordered}`);
    await world.internet.impair({ up: { reorderPercent: 10, reorderMs: 4, seed: 2 } });
    const byTime = await flow();
    assert.equal(byTime.lost, 0);
    assert.ok(isBinomial(byTime.reordered, byTime.sent, 0.1), `${byTime.reordered}`);
  });

  test('the rate is the rate, and its queue is bounded in time', async () => {
    await world.internet.impair({ up: { rateMbit: 10, queueMs: 30 } });
    const { bitsPerSecond, lost, delayUs } = await flow({ octets: 1000, rateMbit: 20 });
    assert.ok(bitsPerSecond > 7e6 && bitsPerSecond < 10.2e6, `${bitsPerSecond}`);
    assert.ok(lost > 0);
    assert.ok(delayUs.p50 > 28_000 && delayUs.p50 < 60_000, `${delayUs.p50}`);
  });

  test('MTU: DF is answered with the size, in both families; without DF it is cut and comes together again', async () => {
    await world.internet.impair({ mtu: 1300 });
    const v4 = await world.pc.ping(corp4, { size: 1301, fragment: false });
    assert.match(v4.errors.join(), /192\.0\.2\.1.*mtu = 1300/);
    const v6 = await world.corp.ping('fd77:1::100', { size: 1301, fragment: false });
    assert.match(v6.errors.join(), /mtu[ =:]+1300/i);
    const capture = await world.portal.capture('wan', 'ip');
    const result = await flow({ octets: 1500, rateMbit: 12, seconds: 1, port: 5001 });
    const packets = await capture.stop();
    assert.equal(result.lost, 0);
    assert.ok(packets.every((packet) => packet.length <= 1300));
    assert.ok(packets.some((packet) => packet.isFragment));
  });

  test('ICMP eaten: silence, of pings and of "too big"', async () => {
    await world.internet.impair({ mtu: 1280, icmp: 'eaten' });
    const ping = await world.pc.ping(corp6, { size: 1000, wait: 300 });
    assert.deepEqual([ping.received, ping.errors.length], [0, 0]);
    const result = await flow({ octets: 1281, rateMbit: 1, seconds: 0.5, dontFragment: true, port: 5002 });
    assert.equal(result.received, 0);
    const fits = await flow({ octets: 1280, rateMbit: 1, seconds: 0.5, dontFragment: true, port: 5003 });
    assert.equal(fits.lost, 0);
  });

  test('fragments eaten: what would have to be cut vanishes, what fits passes', async () => {
    await world.internet.impair({ mtu: 1300, fragments: 'eaten' });
    assert.equal((await flow({ octets: 1301, rateMbit: 1, seconds: 0.5, port: 5006 })).received, 0);
    assert.equal((await flow({ octets: 1300, rateMbit: 1, seconds: 0.5, port: 5007 })).lost, 0);
    // Larger than the interface: the sender's own kernel cuts it, and the internet eats the pieces.
    assert.equal((await flow({ octets: 2000, rateMbit: 1, seconds: 0.5, port: 5008 })).received, 0);
  });

  test('blocked: a port, a protocol, one direction', async () => {
    await world.internet.impair({ up: { block: ['udp:5004', 'icmp'] } });
    assert.equal((await flow({ port: 5004, seconds: 0.2 })).received, 0);
    assert.equal((await flow({ port: 5005, seconds: 0.2 })).lost, 0);
    assert.equal((await world.pc.ping(corp4, { wait: 300 })).received, 0);
    assert.equal((await world.pc.ping(corp6)).received, 3);
  });

  test('10 000 packets and 100 Mbit a second pass whole; what more is said, not demanded', async (context) => {
    await world.internet.impair({ delayMs: 5 });
    assert.equal((await flow({ octets: 100, rateMbit: 8 })).lost, 0);
    assert.equal((await flow({ octets: 1500, rateMbit: 100 })).lost, 0);
    for (const options of [
      { octets: 100, rateMbit: 80 },
      { octets: 1500, rateMbit: 1000 },
    ]) {
      const { bitsPerSecond, lost, sent } = await flow(options);
      const kiloPackets = Math.round(bitsPerSecond / options.octets / 8 / 1000);
      context.diagnostic(
        `${options.octets} octets: ${kiloPackets} k/s, ${formatRate(bitsPerSecond)}, ${lost} of ${sent} lost`,
      );
    }
  });

  test('a wrong setting is refused by name and changes nothing', async () => {
    await world.internet.impair({ delayMs: 5 });
    await assert.rejects(world.internet.impair({ mtu: 10 }), /mtu: expected at least 68/);
    await assert.rejects(world.internet.impair({ block: ['sctp:x'] }), /expected a protocol/);
    assert.ok((await world.pc.ping(corp4)).median >= 10);
  });
});
