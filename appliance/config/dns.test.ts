import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type DnsConfigInput, dnsConfig } from './dns.ts';

const least: DnsConfigInput = {
  listen: [{ address: '192.168.77.1' }],
  clients: ['192.168.77.0/24'],
  stateDirectory: '/var/lib/moat/dns',
};

test('what is left out has its preset', () => {
  const config = dnsConfig.parse(least);
  assert.deepEqual(config.listen, [{ address: '192.168.77.1', port: 53 }]);
  assert.equal(config.domain, 'home.arpa');
  assert.deepEqual(config.cache, { octets: 4_194_304, staleSeconds: 86_400 });
});

test('refusals name the field', () => {
  const wrong: [string, Partial<DnsConfigInput> | Record<string, unknown>][] = [
    ['listen', { listen: [] }],
    ['listen.0.address', { listen: [{ address: '192.168.77' }] }],
    ['clients.0', { clients: ['192.168.77.1/24'] }],
    ['stateDirectory', { stateDirectory: 'relative' }],
    ['domain', { domain: 'a..b' }],
    ['keys.0.secret', { keys: [{ name: 'k', secret: 'short' }] }],
    ['zones.0.primaries.0.key', { zones: [{ name: 'corp', primaries: [{ address: '10.0.0.1', key: 'missing' }] }] }],
    ['forward.0.via', { forward: [{ domain: '.', servers: [{ address: '10.0.0.1' }], via: 'air' }] }],
    ['', { unknown: 1 }],
  ];
  for (const [path, change] of wrong) {
    const result = dnsConfig.safeParse({ ...least, ...change });
    assert.ok(!result.success, path);
    assert.ok(
      result.error.issues.some((issue) => issue.path.join('.') === path),
      `${path}: ${result.error.message}`,
    );
  }
});

test('names and addresses are brought into one form', () => {
  const config = dnsConfig.parse({
    ...least,
    domain: 'Home.ARPA',
    listen: [{ address: 'FD00:0:0::1' }],
    forward: [{ domain: '.', servers: [{ address: '10.0.0.1' }] }],
  });
  assert.equal(config.domain, 'home.arpa');
  assert.equal(config.listen[0]?.address, 'fd00::1');
  assert.equal(dnsConfig.parse({ ...least, domain: 'corp.example.' }).domain, 'corp.example.');
});
