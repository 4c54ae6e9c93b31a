/** The host's routes, against a real kernel: run inside a network namespace of its own (`unshare -n`). */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { pino } from 'pino';
import { parseConfig } from '../../appliance/config/schema.ts';
import { applyNetwork, clearNetwork, networkPlan } from '../../appliance/host/network.ts';
import { InnerNetwork } from '../../appliance/tunnel/inner-network.ts';

const ip = (...args: string[]) => execFileSync('ip', args, { encoding: 'utf8' }).trim();

function configWith(networks: string[]) {
  return parseConfig({
    role: 'home',
    name: 'home-1',
    identity: { id: 'home-1.example' },
    tunnel: { networks: ['10.77.1.0/24', 'fd77:1::/64'], sourceAddresses: ['10.77.1.1', 'fd77:1::1'] },
    peers: [{ name: 'p', id: 'p', addresses: ['192.0.2.1'], psk: 'sixteen letters!', networks }],
  });
}

const plan = (networks: string[]) => networkPlan(configWith(networks));

function kernelState(): string {
  return ['-4', '-6']
    .flatMap((family) => [ip(family, 'route', 'show', 'table', 'all', 'proto', '97'), ip(family, 'rule')])
    .join('\n');
}

test('routes into the tunnel: applied twice they change nothing, and what is not wanted any more goes', async () => {
  assert.equal(ip('-br', 'link').split('\n').length, 1, 'not in a namespace of its own: run with unshare -n');
  const before = kernelState();
  ip('link', 'set', 'lo', 'up');
  ip('address', 'add', '10.77.1.1/24', 'dev', 'lo');
  ip('address', 'add', 'fd77:1::1/64', 'dev', 'lo');
  ip('tuntap', 'add', 'dev', 'moat0', 'mode', 'tun');
  ip('link', 'set', 'moat0', 'up');

  await applyNetwork(plan(['10.1.0.0/16', 'fd01::/32', '10.2.0.1/32']));
  const once = kernelState();
  assert.match(once, /10\.1\.0\.0\/16 dev moat0 scope link src 10\.77\.1\.1/);
  assert.match(once, /unreachable 10\.1\.0\.0\/16 metric 4278198272/);
  assert.match(once, /fd01::\/32 dev moat0 src fd77:1::1/);
  await applyNetwork(plan(['10.1.0.0/16', 'fd01::/32', '10.2.0.1/32']));
  assert.equal(kernelState(), once);

  await applyNetwork(plan(['0.0.0.0/0', '::/0']));
  const everything = kernelState();
  assert.doesNotMatch(everything, /10\.1\.0\.0/);
  assert.match(everything, /default dev moat0 table 7296/);
  assert.match(everything, /7296:\tfrom 10\.77\.1\.0\/24 lookup 7296/);
  await applyNetwork(plan(['0.0.0.0/0', '::/0']));
  assert.equal(kernelState(), everything);

  // The device is gone, as after a crash: nothing may leave by another way.
  ip('link', 'del', 'moat0');
  assert.match(kernelState(), /unreachable default table 7296/);

  await clearNetwork('moat0');
  assert.equal(kernelState(), before);
});

test('what is asked for while it is being applied is applied afterwards, and the last one counts', async () => {
  const before = kernelState();
  ip('tuntap', 'add', 'dev', 'moat0', 'mode', 'tun');
  ip('link', 'set', 'moat0', 'up');
  const network = new InnerNetwork(configWith(['10.1.0.0/16']), pino({ enabled: false }), () => {});
  const opened = network.apply();
  network.configure(configWith(['10.3.0.0/16', 'fd03::/32']));
  await Promise.all([opened, network.apply(), network.apply()]);
  assert.equal(network.problem, null);
  assert.match(kernelState(), /10\.3\.0\.0\/16 dev moat0/);
  assert.doesNotMatch(kernelState(), /10\.1\.0\.0\/16 dev moat0/);
  void network.apply();
  await network.clear();
  assert.equal(kernelState(), before);
});
