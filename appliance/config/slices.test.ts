import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deserialize, serialize } from 'node:v8';
import { Secret } from '../lib/secret.ts';
import { parseConfig } from './schema.ts';
import { dnsSlice, loadedFromSlice, ntpSlice, tunnelSlice } from './slices.ts';

const config = parseConfig({
  role: 'home',
  name: 'home-1',
  identity: { id: 'home-1.example', privateKeyFile: 'identity.key' },
  tunnel: { networks: ['10.77.1.0/24'] },
  peers: [
    { name: 'a', id: 'a', addresses: ['192.0.2.1'], psk: 'sixteen letters!', networks: ['10.1.0.0/16'] },
    {
      name: 'b',
      id: 'b',
      addresses: ['192.0.2.2'],
      publicKey: Buffer.alloc(32, 7).toString('base64'),
      networks: ['10.2.0.0/16'],
    },
  ],
  dns: { listen: [{ address: '10.77.1.1' }], clients: ['10.77.1.0/24'] },
  ntp: { listen: ['10.77.1.1'], clients: ['10.77.1.0/24'] },
});
const loaded = {
  config,
  privateKey: new Secret(new Uint8Array(32).fill(1)),
  sharedSecrets: new Map([['a', new Secret(new Uint8Array(16).fill(2))]]),
  ppks: new Map([['a', new Secret(new Uint8Array(32).fill(3))]]),
  certificate: { chain: [new Uint8Array(8).fill(4)], privateKey: new Secret(new Uint8Array(8).fill(5)) },
  trust: new Map([['b', { authorities: [new Uint8Array(8).fill(6)], revocationLists: [] }]]),
};

test('the tunnel gets its keys over the channel whole, and nothing of the other services', () => {
  const back = loadedFromSlice(deserialize(serialize(tunnelSlice(loaded))));
  assert.deepEqual(back.privateKey?.reveal(), loaded.privateKey.reveal());
  assert.deepEqual(back.sharedSecrets.get('a')?.reveal(), new Uint8Array(16).fill(2));
  assert.deepEqual(back.ppks.get('a')?.reveal(), new Uint8Array(32).fill(3));
  assert.deepEqual(back.certificate?.privateKey.reveal(), new Uint8Array(8).fill(5));
  assert.deepEqual(back.trust, loaded.trust);
  assert.deepEqual(back.config.peers[1]?.publicKey, new Uint8Array(32).fill(7));
  assert.equal(back.config.dns, undefined);
});

test('DNS gets directories of the appliance, which nobody writes by hand', () => {
  assert.equal(dnsSlice(loaded, '/state')?.[0]?.stateDirectory, '/state/dns');
  assert.equal(dnsSlice({ ...loaded, config: { ...config, dns: undefined } }, '/state'), null);
});

test('each view of names is a service of its own, with the addresses of its zone and a folder of its own', () => {
  const zones = [
    { name: 'work', kind: 'work', interface: 'a', addresses: ['10.77.1.1/24'] },
    { name: 'work-2', kind: 'work', interface: 'b', addresses: ['10.77.3.1/24'], dns: { domain: 'two.home.arpa' } },
  ];
  const given = { role: 'home', name: 'h', identity: { id: 'h' }, tunnel: { networks: ['10.77.1.0/24'] }, zones };
  const views = dnsSlice({ ...loaded, config: parseConfig(given) }, '/state');
  assert.deepEqual(
    views?.map(({ listen, clients, stateDirectory, domain }) => ({ listen, clients, stateDirectory, domain })),
    [
      {
        listen: [{ address: '10.77.3.1', port: 53 }],
        clients: ['10.77.3.0/24'],
        stateDirectory: '/state/dns/work-2',
        domain: 'two.home.arpa',
      },
    ],
  );
  const wrong = { ...given, zones: [zones[0], { ...zones[1], dns: { colour: 'red' } }] };
  assert.throws(() => parseConfig(wrong), /zones\[1\]\.dns/);
});

test('chronyd gets a directory of the appliance, and ends with the service that started it', () => {
  const slice = ntpSlice(loaded, '/state');
  assert.equal(slice?.stateDirectory, '/state/ntp');
  assert.deepEqual(slice.daemonCommand, ['/usr/bin/setpriv', '--pdeathsig=KILL', '/usr/sbin/chronyd']);
});
