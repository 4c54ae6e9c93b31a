import assert from 'node:assert/strict';
import { test } from 'node:test';
import { zonesSchema } from '../config/zones.ts';
import { type Link, placeZones, vlanName } from './interfaces.ts';

const link = (name: string, mac: string, made = false): Link => ({
  name,
  mac,
  up: true,
  carrier: true,
  ethernet: true,
  made,
  mtu: 1500,
  addresses: [],
});
const links = [
  link('moat0', '', true),
  link('eth10', '02:00:00:00:00:10'),
  link('eth9', '02:00:00:00:00:09'),
  link('br0', '02:00:00:00:00:09', true),
];

const lan = { kind: 'work', addresses: ['10.0.0.1/24'] };
const place = (zone: object) => {
  const { devices, problems } = placeZones(zonesSchema.parse([{ name: 'z', ...lan, ...zone }]), links);
  return devices.get('z') ?? problems[0];
};

test('a zone finds its interface by name, by hardware address, or by the order of ports', () => {
  assert.equal(place({ interface: 'eth10' }), 'eth10');
  assert.equal(place({ mac: '02:00:00:00:00:09' }), 'eth9', 'not the bridge above it');
  assert.equal(place({ port: 1 }), 'eth9', 'nine comes before ten');
  assert.equal(place({ port: 2, vlan: 7 }), 'eth10.7');
  assert.equal(place({ port: 3 }), 'The zone z has no interface: there is no Ethernet port 3 in this box.');
});

test('a name that is not there is said, and keeps its rules for when it comes', () => {
  const { devices, problems } = placeZones(zonesSchema.parse([{ name: 'z', ...lan, interface: 'usb0' }]), links);
  assert.deepEqual([devices.get('z'), problems.length], ['usb0', 1]);
});

test('the name of a VLAN fits in 15 characters', () => {
  assert.equal(vlanName('enx001122334455', 4094), 'enx0011223.4094');
});
