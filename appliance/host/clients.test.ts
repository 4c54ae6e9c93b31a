import assert from 'node:assert/strict';
import { test } from 'node:test';
import { zonesSchema } from '../config/zones.ts';
import { clientEnd, wildClients } from './clients.ts';
import { type Link, placeZones } from './interfaces.ts';

const port: Link = {
  name: 'eth0',
  mac: '02:00:00:00:00:01',
  up: true,
  carrier: true,
  ethernet: true,
  made: false,
  mtu: 1500,
  addresses: [],
};

function clientsOf(zone: object) {
  const zones = zonesSchema.parse([{ name: 'wild', kind: 'wild', interface: 'eth0', ...zone }]);
  const placement = placeZones(zones, [port]);
  return { placement, clients: wildClients(zones, placement, (name) => `/state/wild/${name}`) };
}

test('by DHCP a client runs on the port, in namespaces that end with it', () => {
  const { clients } = clientsOf({ addressing: 'dhcp' });
  const [client] = clients;
  assert.deepEqual([clients.length, client?.program], [1, 'dhcpcd']);
  assert.match(client?.command.join(' ') ?? '', /^unshare .*--pid .*--kill-child .*dhcpcd -B -f \S+ eth0$/);
  assert.deepEqual(clientsOf({ addressing: 'kept' }).clients, []);
});

test('by PPPoE the zone is the interface that pppd makes, above a port or a VLAN of it', () => {
  const pppoe = { user: 'box@provider.example', password: 'a "quoted" \\ word' };
  const { placement, clients } = clientsOf({ addressing: 'pppoe', pppoe, vlan: 7 });
  assert.deepEqual([placement.devices.get('wild'), placement.lines.get('wild')], ['ppp-wild', 'eth0.7']);
  const text = clients[0]?.files['pppd.conf'] ?? '';
  assert.match(text, /^nic-eth0\.7$/m);
  assert.match(text, /^ifname ppp-wild$/m);
  assert.ok(text.includes('password "a \\"quoted\\" \\\\ word"'), 'quoted as pppd reads it');
  assert.ok(
    !JSON.stringify(zonesSchema.parse([{ name: 'w', kind: 'wild', port: 1, addressing: 'pppoe', pppoe }])).includes(
      'quoted',
    ),
  );
});

test('a password cannot bring options along', () => {
  const wrong = {
    name: 'w',
    kind: 'wild',
    port: 1,
    addressing: 'pppoe',
    pppoe: { user: 'u', password: 'x\nconnect /bin/sh' },
  };
  assert.equal(zonesSchema.safeParse([wrong]).success, false);
});

test('the end of a client is a sentence that names the fault', () => {
  const [client] = clientsOf({ addressing: 'pppoe', pppoe: { user: 'u', password: 'p' } }).clients;
  assert.ok(client);
  assert.match(clientEnd(client, 19, '') ?? '', /does not accept the user name and password/);
  assert.match(clientEnd(client, 1, 'Linux kernel does not support PPPoE') ?? '', /the kernel of this box has no PPP/);
  assert.match(clientEnd(client, 1, 'Timeout waiting for PADO: PPPoE discovery') ?? '', /nobody answers PPPoE/);
  assert.match(clientEnd(client, 127, '') ?? '', /Debian package ppp\) is not installed/);
  assert.equal(clientEnd(client, 0, ''), null);
});
