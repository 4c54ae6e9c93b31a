import assert from 'node:assert/strict';
import { test } from 'node:test';
import { metricsText } from './metrics.ts';
import type { ApplianceStatus } from './status.ts';

test('the text format: one HELP and TYPE a family, labels escaped', () => {
  const traffic = { packetsIn: 3, octetsIn: 300, packetsOut: 4, octetsOut: 400, lostIn: 1 };
  const status = {
    state: 'up',
    uptimeSeconds: 5,
    residentOctets: 6,
    temperatureCelsius: 48.5,
    logLinesLost: 0,
    services: [{ name: 'dns', state: 'running', restarts: 2 }],
    tunnel: { peers: [{ name: 'a"b', state: 'up', traffic }], dataplane: { drops: { noSa: 7 } }, ikeDrops: {} },
  } as unknown as ApplianceStatus;
  const text = metricsText(status);
  assert.match(text, /^# TYPE moat_peer_up gauge\nmoat_peer_up\{peer="a\\"b"\} 1$/m);
  assert.match(text, /^moat_dropped_packets_total\{reason="noSa"\} 7$/m);
  assert.match(text, /^moat_service_restarts_total\{service="dns"\} 2$/m);
  assert.equal(text.match(/# TYPE moat_up /g)?.length, 1);
  assert.ok(text.endsWith('\n'));
});
