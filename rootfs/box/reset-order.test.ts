import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';
import { isResetOrder, resetOrder } from './reset-order.ts';

const box = 'gjBFtbZ0SLcRFYvJe/Rs585QD+uSCbSNHqFmsDilUo0=';
const other = 'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=';

test('an order to reset counts for the box that it names, signed by a key of the releases', () => {
  const release = generateKeyPairSync('ed25519');
  const stranger = generateKeyPairSync('ed25519');
  const order = resetOrder(box, release.privateKey);
  const keys = [stranger.publicKey, release.publicKey];
  assert.equal(isResetOrder(order, box, keys), true);
  // What an editor of another system makes of the line end.
  assert.equal(isResetOrder(order.replace('\n', '\r\n'), box, keys), true);
  assert.equal(isResetOrder(order, other, keys), false);
  assert.equal(isResetOrder(order.replace(box, other), other, keys), false);
  assert.equal(isResetOrder(order, box, [stranger.publicKey]), false);
  assert.equal(isResetOrder('', '', keys), false);
});
