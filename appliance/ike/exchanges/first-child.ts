import { Reader } from '../../lib/bytes.ts';
import type { Peer } from '../api.ts';
import { childKeys } from '../crypto/keys.ts';
import { installChild } from '../family.ts';
import { agreeFeatures, featurePayloads, offerFeatures } from '../features.ts';
import { acceptEsp, chooseEsp, offerEsp } from '../negotiate.ts';
import { narrowings, policiesOf, policyOf } from '../policies.ts';
import { isWithin } from '../selectors.ts';
import type { AuthSent, Channel, Established, Incoming, Nonces } from '../states.ts';
import { report, type Turn } from '../turn.ts';
import { notifyOf } from '../wire/notify.ts';
import { find, notifies, type Payload } from '../wire/payloads.ts';
import { spiOctets } from './auth.ts';
import {
  anySelectors,
  asksForAddress,
  assignmentFor,
  assignmentIn,
  configurationReply,
  configurationRequest,
  selectorsOf,
} from './configuration.ts';

/* The child SA that comes with IKE_AUTH, RFC 7296 1.2: its keys come from those of the IKE SA alone. */

/** The policy that comes with IKE_AUTH; the others follow by CREATE_CHILD_SA. */
const first = 0;

export function offerFirstChild(peer: Peer, channel: Channel, spi: number): Payload[] {
  const { localSelectors, remoteSelectors } = policiesOf(peer)[first];
  return [
    ...configurationRequest(peer),
    { type: 'SA', body: offerEsp(peer.esp, spiOctets(spi), false) },
    ...offerFeatures(peer, channel),
    { type: 'TSi', body: [...localSelectors, ...anySelectors(peer)] },
    { type: 'TSr', body: remoteSelectors },
  ];
}

/** The first child SA, or the reason why there is none; the IKE SA stands either way (RFC 7296 1.2). */
export function respondFirstChild(state: Established, nonces: Nonces, message: Incoming, turn: Turn): Payload[] {
  const { peer, channel } = state;
  const proposals = find(message.payloads, 'SA');
  const wishes = { initiator: find(message.payloads, 'TSi'), responder: find(message.payloads, 'TSr') };
  if (proposals === null || wishes.initiator === null || wishes.responder === null) return []; // RFC 6023
  const chosen = chooseEsp(proposals, peer.esp, false);
  if (chosen === null) return [{ type: 'N', body: notifyOf('NO_PROPOSAL_CHOSEN') }];
  const given = assign(state, message);
  if (given === null) return [{ type: 'N', body: notifyOf('INTERNAL_ADDRESS_FAILURE') }];
  const [narrowed] = narrowings(state, { local: wishes.responder, remote: wishes.initiator });
  if (narrowed === undefined) return [{ type: 'N', body: notifyOf('TS_UNACCEPTABLE') }];
  const { local, remote } = narrowed;
  const { suite } = chosen;
  const { prf } = channel.suite;
  const spiIn = turn.world.newEspSpi(turn);
  const tunnel = turn.world.newTunnel();
  const keys = childKeys({ prf, d: channel.keys.d, cipher: suite.cipher, nonces, shared: null, additional: [] });
  const spiOut = new Reader(chosen.peerSpi).u32();
  const features = agreeFeatures(peer, channel, notifies(message.payloads));
  installChild(
    state,
    { tunnel, ...narrowed, spiIn, spiOut, suite, keys, features, initiator: false, rekeys: 0, activate: 'now' },
    turn,
  );
  report(turn, { kind: 'childEstablished', peer: peer.name, tunnel, rekeyed: false });
  return [
    ...given,
    { type: 'SA', body: chosen.answer(spiOctets(spiIn)) },
    ...featurePayloads(features, channel),
    { type: 'TSi', body: remote },
    { type: 'TSr', body: local },
  ];
}

/** The CP of the answer, if the client asked for something; null: it asks for an address and there is none for it. */
function assign({ peer, family }: Established, { payloads }: Incoming): Payload[] | null {
  const assignment = assignmentFor(peer, payloads);
  if (asksForAddress(payloads) && (assignment?.addresses.length ?? 0) === 0) return null;
  if (assignment === null) return [];
  family.assignment = assignment;
  family.assigned = { local: [], remote: selectorsOf(assignment) };
  return [configurationReply(assignment)];
}

/** What is wrong with the peer's answer, or null. */
export function installFirstChild(
  host: Established,
  { peer, nonces, childSpi }: AuthSent,
  message: Incoming,
  turn: Turn,
): string | null {
  const { channel } = host;
  const assignment = assignmentIn(peer, message.payloads);
  if (assignment !== null) {
    host.family.assignment = assignment;
    host.family.assigned = { local: selectorsOf(assignment), remote: [] };
    report(turn, { kind: 'assigned', peer: peer.name, assignment });
  }
  const accepted = acceptEsp(find(message.payloads, 'SA') ?? [], peer.esp, false);
  if (accepted === null || childSpi === null) return 'the peer chose what was not offered';
  const local = find(message.payloads, 'TSi') ?? [];
  const remote = find(message.payloads, 'TSr') ?? [];
  const { localSelectors, remoteSelectors } = policyOf(host, first);
  const fits = isWithin(local, localSelectors) && isWithin(remote, remoteSelectors);
  if (!fits) return 'the peer answered with selectors that were not offered';
  const { suite } = accepted;
  const { d } = channel.keys;
  const keys = childKeys({ prf: channel.suite.prf, d, cipher: suite.cipher, nonces, shared: null, additional: [] });
  const spiOut = new Reader(accepted.peerSpi).u32();
  const features = agreeFeatures(peer, channel, notifies(message.payloads));
  const tunnel = turn.world.newTunnel();
  installChild(
    host,
    {
      tunnel,
      policy: first,
      spiIn: childSpi,
      spiOut,
      suite,
      local,
      remote,
      keys,
      features,
      initiator: true,
      rekeys: 0,
      activate: 'now',
    },
    turn,
  );
  return null;
}
