import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseConfig } from '../config/schema.ts';
import { placeZones } from './interfaces.ts';
import { overlapProblems } from './overlap.ts';

const peer = (name: string, networks: string[], map: object = {}) => ({
  name,
  id: name,
  addresses: ['198.51.100.10'],
  psk: 'sixteen letters!',
  networks,
  map,
});

function problemsOf(lan: string, peers: object[]): string[] {
  const network = lan.replace(/\.\d+\//, '.0/');
  const zones = [
    { name: 'wild', kind: 'wild', interface: 'wan' },
    { name: 'work', kind: 'work', interface: 'lan', addresses: [lan] },
  ];
  const config = parseConfig({
    role: 'home',
    name: 'h',
    identity: { id: 'h' },
    tunnel: { networks: [network] },
    peers,
    zones,
  });
  return overlapProblems(config, placeZones(config.zones, []), []);
}

const theirs = [{ network: '10.1.0.0/16', as: '172.30.0.0/16' }];
const ours = [{ network: '10.1.5.0/24', as: '10.99.5.0/24' }];

test('a home inside the company is told what to do, step by step, until nothing overlaps', () => {
  const only = (problems: string[]) => {
    assert.equal(problems.length, 1, problems.join('\n'));
    return problems[0] ?? '';
  };
  assert.match(only(problemsOf('10.1.5.1/24', [peer('a', ['10.1.0.0/16'])])), /cannot be told from hosts at home/);
  assert.match(only(problemsOf('10.1.5.1/24', [peer('a', ['10.1.0.0/16'], { theirs })])), /map ours, too/);
  assert.deepEqual(problemsOf('10.1.5.1/24', [peer('a', ['10.1.0.0/16'], { theirs, ours })]), []);
});

test('two employers of one zone with the same network: one is mapped, or it is said', () => {
  const [a, b] = [peer('a', ['10.1.0.0/16']), peer('b', ['10.1.0.0/16'])];
  assert.match(problemsOf('10.77.1.1/24', [a, b])[0] ?? '', /a and b both have 10\.1\.0\.0\/16/);
  assert.deepEqual(problemsOf('10.77.1.1/24', [a, peer('b', ['10.1.0.0/16'], { theirs })]), []);
});
