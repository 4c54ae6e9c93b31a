import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ping, pingAnswer, wholePacket } from './ping.ts';

test('answers, objections of routers and of our own kernel are told apart', () => {
  const said = `PING 10.1.0.10 (10.1.0.10) 1472(1500) bytes of data.
From 10.77.1.1 icmp_seq=1 Frag needed and DF set (mtu = 1400)
From 2001:db8::1 icmp_seq=2 Destination unreachable: No route

--- 10.1.0.10 ping statistics ---
3 packets transmitted, 1 received, +2 errors, 66% packet loss, time 400ms`;
  const { sent, received, errors, objection } = pingAnswer(said, '');
  assert.deepEqual([sent, received], [3, 1]);
  assert.deepEqual(errors, [
    { from: '10.77.1.1', said: 'Frag needed and DF set (mtu = 1400)' },
    { from: '2001:db8::1', said: 'Destination unreachable: No route' },
  ]);
  assert.match(objection ?? '', /Frag needed/);
  assert.equal(pingAnswer('', 'ping: local error: message too long, mtu=1400\n').objection?.endsWith('1400'), true);
  assert.deepEqual(pingAnswer('', ''), { sent: 0, received: 0, errors: [], objection: null });
});

test('a packet is as large as it says, headers included', () => {
  assert.deepEqual(wholePacket('10.1.0.10', 1500), ['-M', 'do', '-s', '1472']);
  assert.deepEqual(wholePacket('fd00::1', 1500), ['-M', 'do', '-s', '1452']);
});

test('this machine answers itself', async () => {
  assert.deepEqual(await ping('127.0.0.1', '-c', '1', ...wholePacket('127.0.0.1', 1500)), {
    sent: 1,
    received: 1,
    errors: [],
    objection: null,
  });
});
