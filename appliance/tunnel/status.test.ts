import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseConfig } from '../config/schema.ts';
import type { IkeSaStatus } from '../ike/api.ts';
import type { HomeState } from './home.ts';
import { type PeerFacts, tunnelStatus } from './status.ts';
import { trafficOf } from './traffic.ts';

const config = parseConfig({
  role: 'home',
  name: 'home-1',
  identity: { id: 'home-1.example' },
  tunnel: { networks: ['10.77.1.0/24'] },
  peers: [
    {
      name: 'office',
      id: 'portal.example',
      addresses: ['192.0.2.1'],
      psk: 'sixteen letters!',
      networks: ['10.1.0.0/16'],
    },
  ],
});
const [peer] = config.peers;
assert.ok(peer);
const childless = { ageSeconds: 5, children: [], path: null } as unknown as IkeSaStatus;
const withChild = { ...childless, children: [{}] } as unknown as IkeSaStatus;

function statusOf(change: Partial<PeerFacts>) {
  const facts = {
    config: peer,
    call: null,
    failure: null,
    upSince: null,
    mtu: null,
    traffic: trafficOf(undefined),
    ike: null,
    ...change,
  } as PeerFacts;
  const nothing = { dataplane: null, securityAssociations: [], ikeDrops: {} };
  return tunnelStatus({ now: 10_000, config, problems: [], peers: [facts], ...nothing });
}

test('a home is up when its peers have a child SA, and not before', () => {
  const calling: HomeState = { name: 'calling', since: 0, until: 2000, attempt: 1, last: null };
  assert.equal(statusOf({ call: calling }).state, 'connecting');
  assert.equal(statusOf({ call: calling, ike: childless }).state, 'connecting');
  assert.equal(statusOf({ call: { name: 'up', since: 0 }, ike: withChild }).state, 'up');
});

test('a failure is one sentence that names the peer, the address and the cause, and when it is tried again', () => {
  const facts = {
    peer: 'office',
    address: '192.0.2.1',
    localId: 'home-1.example',
    remoteId: 'portal.example',
    detail: '',
  };
  const call: HomeState = { name: 'waiting', until: 14_000, attempt: 3, last: null };
  const status = statusOf({ call, failure: { failure: 'authenticationFailed', facts } });
  assert.equal(status.state, 'down');
  assert.deepEqual(status.problems, [
    "office at 192.0.2.1 does not accept our proof of being 'home-1.example': its record of us is missing or holds another key.",
  ]);
  assert.equal(status.peers[0]?.retryInSeconds, 4);
  assert.equal(status.peers[0]?.failedAttempts, 3);
});

test('traffic is what the data plane has counted over all rekeys of the tunnel', () => {
  const counted = { tunnel: 1, received: { packets: 15, octets: 1500 }, sent: { packets: 2, octets: 200 }, lost: 1 };
  const traffic = trafficOf({ ...counted, receivedAgoMs: 0, outbound: null });
  assert.deepEqual(traffic, { packetsIn: 15, octetsIn: 1500, packetsOut: 2, octetsOut: 200, lostIn: 1 });
  assert.equal(trafficOf(undefined).packetsIn, 0);
});
