import assert from 'node:assert/strict';
import { test } from 'node:test';
import { atHome, Pair } from '../pair.ts';

const elsewhere = { local: { address: '203.0.113.9', port: 500 }, remote: atHome.remote };

test('the box moves: its own ESP at once, the portal with UPDATE_SA_ADDRESSES, which it checks', () => {
  const pair = new Pair();
  pair.establish();
  pair.home.step({ kind: 'move', peer: 'portal', path: elsewhere });
  assert.deepEqual(pair.home.effects, [{ kind: 'movePath', tunnel: 1, path: elsewhere }]);
  const update = pair.home.next(); // home -> portal  INFORMATIONAL { N(UPDATE_SA_ADDRESSES), N(NATD), N(NATD) }
  assert.deepEqual(update.path, elsewhere);
  pair.portal.hear(update);
  const back = { local: elsewhere.remote, remote: elsewhere.local };
  assert.deepEqual(pair.portal.effects.at(-1), { kind: 'movePath', tunnel: 1, path: back });
  const [answer, check] = [pair.portal.next(), pair.portal.next()]; // { N(NATD), N(NATD) } and { N(COOKIE2) }
  assert.deepEqual([answer.path, check.path], [back, back]);
  pair.home.hear(answer);
  pair.home.hear(check);
  pair.portal.hear(pair.home.next()); // home -> portal  { N(COOKIE2) }, the same
  for (const side of [pair.home, pair.portal]) {
    const [status, ...others] = side.endpoint.status(0);
    assert.deepEqual(others, []);
    assert.deepEqual([status?.state, status?.rekeys, status?.children.length], ['established', 0, 1]);
  }
});

test('a request that is under way goes on from the new address with the same octets', () => {
  const pair = new Pair();
  pair.establish();
  pair.home.step({ kind: 'rekey', peer: 'portal', what: 'child' });
  const before = pair.home.next(); // lost
  pair.home.step({ kind: 'move', peer: 'portal', path: elsewhere });
  const after = pair.home.next();
  assert.deepEqual([after.bytes, after.path], [before.bytes, elsewhere]);
  pair.portal.hear(after);
  pair.settle();
  assert.equal(pair.portal.endpoint.status(0)[0]?.path.remote.address, '203.0.113.9');
  assert.equal(pair.home.endpoint.status(0)[0]?.children[0]?.rekeys, 1);
});

test('a NAT at the new place makes the child be rekeyed, so that ESP goes in the right form', () => {
  const pair = new Pair();
  pair.initiate();
  pair.settle();
  pair.home.step({ kind: 'move', peer: 'portal', path: elsewhere });
  const update = pair.home.next();
  const outside = { ...update.path, local: { address: '198.18.0.1', port: 40_000 } };
  pair.portal.hear({ bytes: update.bytes, path: outside });
  const answer = pair.portal.next();
  pair.home.hear({ bytes: answer.bytes, path: { ...answer.path, remote: elsewhere.local } });
  assert.equal(pair.home.endpoint.status(0)[0]?.natLocal, true);
  assert.equal(pair.home.next().bytes[18], 36); // home -> portal  CREATE_CHILD_SA
});

test('the portal may not move the SA of a box that called it; its new address is simply seen', () => {
  const pair = new Pair();
  pair.establish();
  const path = { local: { address: '198.51.100.2', port: 500 }, remote: atHome.local };
  pair.portal.step({ kind: 'move', peer: 'home', path });
  pair.home.hear(pair.portal.next()); // portal -> home  INFORMATIONAL {}
  assert.equal(pair.home.endpoint.status(0)[0]?.path.remote.address, '198.51.100.2');
});
