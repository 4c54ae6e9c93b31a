import assert from 'node:assert/strict';
import { test } from 'node:test';
import { dnsConfig } from '../../config/dns.ts';
import { routesOf } from './tables.ts';
import { nameFromText, nameToText } from './wire/name.ts';

const config = dnsConfig.parse({
  listen: [{ address: '192.168.77.1' }],
  clients: ['192.168.77.0/24'],
  stateDirectory: '/nowhere',
  forward: [
    { domain: '.', servers: [{ address: '192.0.2.1' }] },
    { domain: 'corp.example', servers: [{ address: '10.0.0.1' }], via: 'tunnel' },
  ],
});

const shown = (...assigned: Parameters<typeof routesOf>[1] & object) =>
  Object.fromEntries(
    [...routesOf(config, assigned).values()].map(({ domain, servers, via }) => [
      nameToText(domain),
      `${servers.map(({ address }) => address).join()} ${via}`,
    ]),
  );
const own = { '.': '192.0.2.1 wan', 'corp.example.': '10.0.0.1 tunnel' };

test('resolvers that a company has given are asked about its domains, through the tunnel', () => {
  assert.deepEqual(shown(), own);
  assert.deepEqual(shown({ domains: ['Lab.Example', 'x.test'], servers: ['10.9.0.53', 'fd00::53'] }), {
    ...own,
    'lab.example.': '10.9.0.53,fd00::53 tunnel',
    'x.test.': '10.9.0.53,fd00::53 tunnel',
  });
});

test('the configuration comes first, and the whole world is no domain of a company', () => {
  assert.deepEqual(shown({ domains: ['corp.example', '.'], servers: ['10.9.0.53'] }), own);
});

test('what companies give is bounded', () => {
  const domains = Array.from({ length: 1000 }, (_, i) => `d${i}.example`);
  const servers = Array.from({ length: 100 }, (_, i) => `10.9.0.${i}`);
  const routes = routesOf(config, [{ domains, servers }]);
  assert.equal(routes.size, 256 + config.forward.length);
  assert.equal(routes.get(nameFromText('d0.example'))?.servers.length, 8);
});
