import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { hardwareSentence, type Inventory, readInventory, temperatureCelsius } from './inventory.ts';

const inventory: Inventory = {
  system: { manufacturer: 'PC Engines', model: 'apu2' },
  cpu: { brand: 'AMD GX-412TC SOC', cores: 4 },
  memoryOctets: 4_100_000_000,
  disks: [{ name: 'SATA SSD', type: 'SSD', size: 16_013_942_784 }],
  interfaces: [
    { iface: 'lo', mac: '00:00:00:00:00:00', speed: null, operstate: 'unknown' },
    { iface: 'wild0', mac: '00:0d:b9:00:00:01', speed: 1000, operstate: 'up' },
    { iface: 'work0', mac: '00:0d:b9:00:00:02', speed: 1000, operstate: 'up' },
  ],
  temperatureCelsius: 52,
  os: { distro: 'Debian', release: '13', kernel: '6.12.0', arch: 'x64' },
};

test('hardware is one line, whatever a maker wrote into it', () => {
  assert.equal(
    hardwareSentence(inventory),
    'PC Engines apu2, AMD GX-412TC SOC (4 cores), 4.1 GB of memory, 16 GB SSD SATA SSD, 2 ports, 6.12.0 x64',
  );
  const odd = hardwareSentence({ ...inventory, system: { manufacturer: 'To be\nfilled', model: 'x'.repeat(1000) } });
  assert.ok(odd.length === 300 && !odd.includes('\n'));
  assert.doesNotMatch(hardwareSentence({ ...inventory, system: { manufacturer: '', model: '' }, disks: [] }), /^,|, ,/);
});

test('this machine has an inventory', async () => {
  const here = await readInventory();
  assert.ok(here.cpu.cores > 0 && here.memoryOctets > 1e8 && hardwareSentence(here).length > 20);
});

test('a temperature is read in degrees, and none is none', () => {
  const folder = mkdtempSync(join(tmpdir(), 'moat-inventory-'));
  try {
    const file = join(folder, 'temp');
    writeFileSync(file, '48312\n');
    assert.equal(temperatureCelsius(file), 48.312);
    assert.equal(temperatureCelsius(join(folder, 'none')), null);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
