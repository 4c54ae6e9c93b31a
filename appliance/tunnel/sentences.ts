/** Each failure in one sentence for the person who has to mend it: what is wrong, where, and what to do. */
import type { Failure, IkeSaStatus, QuantumSafety } from '../ike/api.ts';

export interface FailureFacts {
  readonly peer: string;
  /** The address that was called, or from which the call came. */
  readonly address: string;
  readonly localId: string;
  readonly remoteId: string;
  /** What IKE adds, such as the name of a notify; may be empty. */
  readonly detail: string;
}

export function failureSentence(failure: Failure, facts: FailureFacts): string {
  const { peer, address, localId, remoteId } = facts;
  const detail = facts.detail === '' ? '' : ` (${facts.detail})`;
  switch (failure) {
    case 'noAnswer':
      return `${peer} at ${address} does not answer on UDP 500 and 4500: it is down, or something between eats the packets${detail}.`;
    case 'authenticationFailed':
      return `${peer} at ${address} does not accept our proof of being '${localId}': its record of us is missing or holds another key${detail}.`;
    case 'peerAuthenticationFailed':
      return `Whoever answers at ${address} does not hold the key that is pinned for ${peer}: the configured key is wrong, or somebody else answers there${detail}.`;
    case 'peerIdentityMismatch':
      return `The host at ${address} calls itself something other than '${remoteId}', the identity configured for ${peer}${detail}.`;
    case 'redirected':
      return `${peer} at ${address} has sent us to another gateway${detail}.`;
    case 'redirectLoop':
      return `${peer} at ${address} and its other gateways send us from one to the other: none of them takes us in${detail}.`;
    case 'certificateTime':
      return `The certificate of ${peer} at ${address} is not within its time: it is to be renewed, or the clock of this box is wrong${detail}.`;
    case 'certificateRefused':
      return `The certificate that ${peer} at ${address} shows is not good${detail}.`;
    case 'ownCertificateTime':
      return `${peer} at ${address} does not accept our certificate, which is not within its time: it is to be renewed, or the clock of this box is wrong${detail}.`;
    case 'ppkRequired':
      return `${peer} at ${address} and this box do not have the same post-quantum pre-shared key, and one of them insists on it${detail}.`;
    case 'noProposalChosen':
      return `${peer} at ${address} accepts none of our algorithms for the IKE SA: the lists in peers.ike must overlap${detail}.`;
    case 'noChildSa':
      return `${peer} at ${address} knows us but refuses the tunnel: networks or peers.esp algorithms do not agree${detail}.`;
    case 'peerRefused':
      return `${peer} at ${address} refuses${detail}.`;
    case 'invalidAnswer':
      return `What answers at ${address} does not follow IKEv2${detail}.`;
    case 'peerClosed':
      return `${peer} has closed the tunnel${detail}.`;
    case 'peerDead':
      return `${peer} at ${address} was reachable and has stopped answering${detail}.`;
    case 'replaced':
      return `${peer} has connected anew from elsewhere and replaced this tunnel${detail}.`;
  }
}

const protections: Readonly<Record<QuantumSafety, string>> = {
  mlkem768: 'safe: ML-KEM-768 is in its keys',
  ppk: 'safe: a post-quantum pre-shared key is in its keys (RFC 8784)',
};

/** Of the weakest child SA: whether traffic that is recorded today can be read by a quantum computer one day. */
export function quantumSentence({ children }: IkeSaStatus): string | null {
  const [first] = children;
  if (first === undefined) return null;
  const weakest = children.find(({ quantumSafe }) => quantumSafe === null) ?? first;
  if (weakest.quantumSafe !== null) return protections[weakest.quantumSafe];
  return 'not safe: neither ML-KEM-768 nor a post-quantum pre-shared key was agreed with this peer';
}
