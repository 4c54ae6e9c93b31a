import { hex } from '../lib/bytes.ts';
import type { ChildSaStatus, Identity, IkeSaStatus } from './api.ts';
import { owns } from './channel.ts';
import type { Child } from './family.ts';
import type { AuthSent, Closing, Established, IkeState, InitSent, IntermediateSent, ResumeSent } from './states.ts';

/** Null for SAs whose peer is not known yet, and for those that are only kept to repeat an answer. */
export function statusOf(state: IkeState, now: number): IkeSaStatus | null {
  if (state.name === 'initSent' || state.name === 'resumeSent') return beginning(state);
  if (state.name === 'intermediateSent' || state.name === 'authSent') return withChannel(state, state.path);
  if (state.name === 'closing') return withChannel(state, state.path);
  return state.name === 'established' ? established(state, now) : null;
}

function common(state: InitSent | ResumeSent | IntermediateSent | AuthSent | Established | Closing) {
  const { peer, name } = state;
  return {
    peer: peer.name,
    state: name,
    localId: printed(peer.localId),
    remoteId: printed(peer.remoteId),
    ageSeconds: 0,
    rekeyInSeconds: 0,
    rekeys: 0,
    assignment: 'family' in state ? state.family.assignment : null,
    children: [],
  };
}

function printed(identity: Identity): string {
  return identity.kind === 'keyId' ? `key id ${identity.value}` : identity.value;
}

function beginning(state: InitSent | ResumeSent): IkeSaStatus {
  return {
    ...common(state),
    initiator: true,
    spiInitiator: hex(state.spi),
    spiResponder: '0'.repeat(16),
    path: state.sent.path,
    cipher: null,
    prf: null,
    keyExchange: null,
    additionalKeyExchange: null,
    quantumSafe: null,
    resumed: false,
    natLocal: false,
    natRemote: false,
  };
}

function withChannel(
  state: IntermediateSent | AuthSent | Established | Closing,
  path: IkeSaStatus['path'],
): IkeSaStatus {
  const { channel, nat } = state;
  return {
    ...common(state),
    initiator: channel.initiator,
    spiInitiator: hex(channel.spiInitiator),
    spiResponder: hex(channel.spiResponder),
    path,
    ...channel.suite,
    quantumSafe: channel.quantumSafe,
    resumed: channel.resumed,
    natLocal: nat.local,
    natRemote: nat.remote,
  };
}

function established(state: Established, now: number): IkeSaStatus {
  const own = owns(state);
  return {
    ...withChannel(state, state.path),
    state: own ? 'established' : 'superseded',
    ageSeconds: seconds(now - state.createdAt),
    rekeyInSeconds: own ? seconds(state.rekeyAt - now) : 0,
    rekeys: state.rekeys,
    children: own ? state.family.children.map((child) => childStatus(child, now)) : [],
  };
}

function childStatus(child: Child, now: number): ChildSaStatus {
  return {
    tunnel: child.tunnel,
    spiIn: child.spiIn.toString(16).padStart(8, '0'),
    spiOut: child.spiOut.toString(16).padStart(8, '0'),
    ...child.suite,
    quantumSafe: child.quantumSafe,
    mode: child.aggfrag ? 'aggfrag' : 'tunnel',
    encapsulation: child.encapsulation,
    localSelectors: child.local,
    remoteSelectors: child.remote,
    ageSeconds: seconds(now - child.createdAt),
    rekeyInSeconds: child.phase === 'live' ? seconds(child.rekeyAt - now) : 0,
    rekeys: child.rekeys,
  };
}

function seconds(milliseconds: number): number {
  return Math.max(0, Math.round(milliseconds / 1000));
}
