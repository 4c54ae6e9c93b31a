import { createHash } from 'node:crypto';
import { Writer } from '../../lib/bytes.ts';
import type { Path } from '../../lib/net.ts';
import type { Failure, LocalAuth, Peer, RemoteAuth } from '../api.ts';
import { saKey } from '../channel.ts';
import { proves, type resumedAuth, type SignedOctets } from '../crypto/proof.ts';
import { newFamily } from '../family.ts';
import type { Nat } from '../nat.ts';
import { certificateEncodings } from '../numbers.ts';
import { lifeOf } from '../retransmit.ts';
import type { Channel, Established, InitSent, IntermediateSent, Nonces, ResumeSent } from '../states.ts';
import type { Turn } from '../turn.ts';
import type { Authentication } from '../wire/authentication.ts';
import { authorityHashes } from '../wire/certificate.ts';
import { type Identification, identityOf } from '../wire/identification.ts';
import { notifyOf } from '../wire/notify.ts';
import type { Payload } from '../wire/payloads.ts';

import { maxIntermediates } from '../x509/path.ts';

/* What both ends of IKE_AUTH have in common (RFC 7296 1.2, 2.15): `auth-initiator.ts`, `auth-responder.ts`. */

export const nonceLength = 32;

export interface Agreement {
  readonly state: Pick<InitSent | IntermediateSent | ResumeSent, 'peer' | 'request' | 'sent'>;
  readonly channel: Channel;
  readonly nat: Nat;
  readonly nonces: Nonces;
  readonly initAnswer: Uint8Array;
}

/** RFC 7296 2.23: with a NAT on the way, or at will, both ends go to the port where ESP in UDP may follow. */
export function pathFrom(path: Path, nat: Nat, peer: Peer, turn: Turn): Path {
  const port = turn.world.options.natTraversalPort;
  if (!nat.local && !nat.remote && peer.encapsulation === 'auto') return path;
  if (path.local.port === port) return path;
  return { local: { ...path.local, port }, remote: { ...path.remote, port: natTraversalPort } };
}
/** Where other people's gateways listen (RFC 3947). */
const natTraversalPort = 4500;

export function spiOctets(spi: number): Uint8Array {
  return new Writer().u32(spi).finish();
}

export const mobikeSupported: Payload = { type: 'N', body: notifyOf('MOBIKE_SUPPORTED') };

export function printed(identification: Identification): string {
  return (identityOf(identification)?.value ?? 'of an unknown type').slice(0, 128);
}

type Common = Pick<Established, 'peer' | 'channel' | 'path' | 'nat'>;

export function newEstablished(common: Common, next: number, expected: number, turn: Turn): Established {
  const { ikeRekeySeconds, keySeconds } = common.peer.lifetimes;
  return {
    name: 'established',
    ...common,
    requests: { next, expected, answered: null },
    family: newFamily(saKey(common.channel)),
    task: null,
    pending: null,
    mobike: false,
    caller: common.channel.initiator,
    updateWanted: false,
    checkWanted: false,
    initialContact: false,
    redirect: null,
    crashToken: null,
    tokenWanted: false,
    ticketAt: Number.POSITIVE_INFINITY,
    createdAt: turn.now,
    ...lifeOf(ikeRekeySeconds, keySeconds, turn),
    rekeys: 0,
    heardAt: turn.now,
    retireAt: Number.POSITIVE_INFINITY,
  };
}

/** Our certificates, our own first (RFC 7296 3.6). */
export function certificatePayloads(auth: LocalAuth): Payload[] {
  if (auth.kind !== 'x509') return [];
  const encoding = certificateEncodings.x509Signature;
  return auth.chain.map((data) => ({ type: 'CERT', body: { encoding, data } }));
}

/** What the peer sent along, its own first; other encodings are read over. */
export function certificatesIn(payloads: readonly Payload[]): Uint8Array[] {
  const found = payloads.flatMap((payload) =>
    payload.type === 'CERT' && payload.body.encoding === certificateEncodings.x509Signature ? [payload.body.data] : [],
  );
  return found.slice(0, 1 + maxIntermediates);
}

/** RFC 7296 3.7: by whom the certificate of the peer may be issued; some send none unless they are asked. */
export function certificateRequest(auths: readonly RemoteAuth[]): Payload[] {
  const authorities = auths.flatMap((auth) => (auth.kind === 'x509' ? auth.trust.authorities : []));
  const hashes = new Map(authorities.map(({ publicKey }) => [Buffer.from(publicKey).toString('base64'), publicKey]));
  if (hashes.size === 0) return [];
  const data = authorityHashes([...hashes.values()].slice(0, maxRequested).map(keyHash));
  return [{ type: 'CERTREQ', body: { encoding: certificateEncodings.x509Signature, data } }];
}
/** IKE_SA_INIT cannot be fragmented. */
const maxRequested = 16;

/** RFC 7296 3.7: over the whole SubjectPublicKeyInfo. */
function keyHash(publicKey: Uint8Array): Uint8Array {
  return new Uint8Array(createHash('sha1').update(publicKey).digest());
}

export interface Claim {
  readonly identification: Identification;
  readonly proof: Authentication;
  readonly signed: SignedOctets;
  readonly certificates: readonly Uint8Array[];
}

interface Reason {
  readonly failure: Failure;
  readonly detail: string;
}

/** Null when the peer is who it says. The proof comes first: nobody's certificates are looked at but those of who has the key. */
export function disbelief(auth: RemoteAuth | typeof resumedAuth, claim: Claim, turn: Turn): Reason | null {
  const who = printed(claim.identification);
  const { proof, signed, certificates } = claim;
  if (!proves(auth, proof, signed, certificates)) {
    const without = auth.kind === 'x509' && certificates.length === 0;
    const detail = without ? `${who} sent no certificate` : `the proof of ${who} does not fit`;
    return { failure: 'peerAuthenticationFailed', detail };
  }
  if (auth.kind !== 'x509') return null;
  const refusal = auth.trust.judge(certificates, claim.identification, turn.world.options.timeOfDay(turn.now));
  if (refusal === null) return null;
  return { failure: refusal.reason === 'time' ? 'certificateTime' : 'certificateRefused', detail: refusal.detail };
}
