import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Pair } from './pair.ts';
import type { InitSent } from './states.ts';
import { SaTable } from './table.ts';

/** An attempt that is to be looked after at that time; nothing else of it matters here. */
function attempt(at: number): InitSent {
  const retry = { waitMilliseconds: 0, nextAt: at, giveUpAt: Number.POSITIVE_INFINITY };
  const spi = new Uint8Array(8).fill(1);
  return { name: 'initSent', spi, peer: { name: 'portal' }, sent: { retry }, refusal: null } as unknown as InitSent;
}

test('an SA whose time is now sooner, now later is found in time, and the timers do not fill up', () => {
  const table = new SaTable();
  const entry = table.add(attempt(600_000));
  assert.ok(entry);
  for (let now = 0; now < 100_000; now += 1000) {
    table.put(entry, attempt(now + 500));
    assert.equal(table.wakeAt(), now + 500);
    assert.equal(table.takeDue(now + 500), entry);
    table.put(entry, attempt(600_000));
    assert.ok(table.waiting <= 2, `${table.waiting} waiting`);
  }
  assert.equal(table.wakeAt(), 600_000);
});

test('an attempt that is given up between two exchanges is gone at once', () => {
  const pair = new Pair({
    home: {
      ike: {
        ciphers: ['aes-256-gcm-16'],
        prfs: ['hmac-sha2-256'],
        keyExchanges: ['x25519'],
        additionalKeyExchanges: ['mlkem768'],
      },
    },
    portal: {
      ike: {
        ciphers: ['aes-256-gcm-16'],
        prfs: ['hmac-sha2-256'],
        keyExchanges: ['x25519'],
        additionalKeyExchanges: ['mlkem768'],
      },
    },
  });
  pair.initiate();
  pair.portal.hear(pair.home.next()); // home -> portal  IKE_SA_INIT
  pair.home.hear(pair.portal.next()); // portal -> home  IKE_SA_INIT
  assert.equal(pair.home.endpoint.status(0)[0]?.state, 'intermediateSent');
  assert.ok(pair.home.endpoint.isBusy());
  pair.home.step({ kind: 'close', peer: 'portal' });
  assert.ok(!pair.home.endpoint.isBusy());
});
