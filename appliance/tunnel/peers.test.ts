import assert from 'node:assert/strict';
import { test } from 'node:test';
import { identityOf } from './peers.ts';

test('the kind of an identity is told by its form', () => {
  assert.deepEqual(identityOf('box-7.example.com'), { kind: 'fqdn', value: 'box-7.example.com' });
  assert.deepEqual(identityOf('ann@example.com'), { kind: 'rfc822', value: 'ann@example.com' });
  assert.deepEqual(identityOf('192.0.2.1'), { kind: 'ipv4', value: '192.0.2.1' });
  assert.deepEqual(identityOf('2001:DB8::1'), { kind: 'ipv6', value: '2001:db8::1' });
  assert.deepEqual(identityOf('keyid:00FF'), { kind: 'keyId', value: '00ff' });
  assert.deepEqual(identityOf('keyid:0'), { kind: 'fqdn', value: 'keyid:0' });
});
