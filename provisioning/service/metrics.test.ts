import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { get } from 'node:http';
import { join } from 'node:path';
import { addRecord } from '../facts/fleet.ts';
import { onBothPortals } from '../testing/portal.ts';

function read(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    get({ host: '127.0.0.1', port, path: '/metrics', agent: false }, (response) => {
      let text = '';
      response.on('data', (chunk) => {
        text += chunk;
      });
      response.on('end', () => resolve(text));
    }).on('error', reject);
  });
}

onBothPortals('metrics count the fleet, and the dashboard asks for nothing else', async (portal) => {
  await portal.edit((to) => addRecord(to, 'device', { customer: 'acme', name: 'home-1' }));
  await portal.enrolled('home-1');
  const text = await read(portal.metricsPort);
  assert.match(text, /^moat_devices\{health="down"\} 1$/m);
  assert.match(text, /^moat_unconfirmed_devices 1$/m);
  assert.match(text, /^moat_revision 3$/m);
  for (const line of text.trimEnd().split('\n'))
    assert.match(line, /^(# (HELP|TYPE) \w+ .+|\w+(\{\w+="\w+"\})? [\d.e+-]+)$/);
  const dashboard = readFileSync(join(import.meta.dirname, '../operations/grafana-dashboard.json'), 'utf8');
  const asked = dashboard.match(/\b(moat|process)_[a-z_]+/g) ?? [];
  for (const name of asked) assert.ok(text.includes(`# TYPE ${name} `), name);
});
