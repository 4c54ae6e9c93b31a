import { readFileSync } from 'node:fs';
/** What the two ends say of one agreement, and that it is the same. */
import type { IkeSaStatus } from '../../../appliance/ike/api.ts';
import { sleep } from '../../lab/processes.ts';
import { expect } from '../../lab/story.ts';
import type { PeerChildSa, PeerIkeSa } from '../swanctl-sas.ts';
import type { Bench } from './bench.ts';

export interface View {
  readonly theirs: PeerIkeSa;
  readonly theirChild: PeerChildSa;
  readonly ours: IkeSaStatus;
}

const installed = (sa: PeerIkeSa) => sa.children.filter(({ state }) => state === 'INSTALLED');

/** The one IKE SA and the one child that both ends say they have; a sentence while it is not so. */
export async function view(bench: Bench, row: string): Promise<View | string> {
  const all = (await bench.swan.listSas()).filter(({ connection }) => connection === row);
  const [theirs, ...more] = all;
  if (!theirs || more.length > 0 || theirs.state !== 'ESTABLISHED')
    return `strongSwan has ${all.map(({ state }) => state).join(' and ') || 'no IKE SA'}`;
  const [theirChild, ...others] = installed(theirs);
  if (!theirChild || others.length > 0) return `strongSwan has ${others.length + (theirChild ? 1 : 0)} children`;
  const ours = await bench.moat.peer(row).then(
    ({ ike }) => ike,
    () => null, // it has just started
  );
  if (ours?.state !== 'established' || ours.children.length !== 1)
    return `moat has ${ours?.state ?? 'no IKE SA'} with ${ours?.children.length ?? 0} children`;
  if (ours.spiInitiator !== theirs.initiatorSpi)
    return `different IKE SAs: ${ours.spiInitiator}, ${theirs.initiatorSpi}`;
  const [child] = ours.children;
  if (child?.spiIn !== theirChild.spiOut || child.spiOut !== theirChild.spiIn) return 'the children differ';
  return { theirs, theirChild, ours };
}

/** Waits for both ends to agree, on something new if `isNew` says so. */
export async function settled(
  bench: Bench,
  row: string,
  isNew: (now: View) => boolean = () => true,
  timeoutMs = 20_000,
): Promise<View> {
  const deadline = performance.now() + timeoutMs;
  while (true) {
    const seen = await view(bench, row);
    if (typeof seen !== 'string' && isNew(seen)) return seen;
    if (performance.now() > deadline) {
      throw new Error(
        `not settled after ${timeoutMs} ms: ${typeof seen === 'string' ? seen : 'everything is as before'}`,
      );
    }
    await sleep(50);
  }
}

/** strongSwan's words for what we call so. */
const words: Readonly<Record<string, string>> = {
  'aes-256-gcm-16': 'AES_GCM_16-256',
  'aes-128-gcm-16': 'AES_GCM_16-128',
  'chacha20-poly1305': 'CHACHA20_POLY1305',
  'hmac-sha2-256': 'PRF_HMAC_SHA2_256',
  'hmac-sha2-384': 'PRF_HMAC_SHA2_384',
  x25519: 'CURVE_25519',
  ecp256: 'ECP_256',
  mlkem768: 'ML_KEM_768',
};
const word = (ours: string | null): string => (ours === null ? '' : (words[ours] ?? ours));

/** How strongSwan says that we have proven ourselves, the last time. Its words come a moment later. */
export async function provenBy(bench: Bench): Promise<string> {
  const pattern = /authentication of '[^']+' with (\S+) successful/g;
  for (let tries = 0; tries < 40; tries += 1) {
    const log = readFileSync(bench.swan.process.log, 'utf8');
    const [, proof] = [...log.matchAll(pattern)].at(-1) ?? [];
    if (proof !== undefined) return proof;
    await sleep(50);
  }
  return 'nothing';
}

/** What the peer says was negotiated is what we say, and what was to be. */
export function describe({ theirs, theirChild, ours }: View): string {
  const [child] = ours.children;
  const said = [theirs.encryption, theirs.prf, theirs.keyExchange, theirs.additionalKeyExchange].join('/');
  const meant = [ours.cipher, ours.prf, ours.keyExchange, ours.additionalKeyExchange].map(word).join('/');
  expect(said === meant, `IKE: ${meant}`, said);
  const saidChild = [theirChild.cipher, theirChild.keyExchange, theirChild.additionalKeyExchange].join('/');
  const meantChild = [child?.cipher ?? null, child?.keyExchange ?? null, child?.additionalKeyExchange ?? null]
    .map(word)
    .join('/');
  expect(saidChild === meantChild, `ESP: ${meantChild}`, saidChild);
  const inUdp = theirChild.mode === 'TUNNEL' && theirChild.isEncapsulated;
  expect(inUdp && child?.mode === 'tunnel' && child.encapsulation === 'udp', 'tunnel mode in UDP', [theirChild, child]);
  expect(theirChild.esn === false && child?.esn === false, '32-bit sequence numbers', [theirChild, child]);
  return `it says ${said.replace(/\/$/, '')}, ESP ${saidChild.replace(/\/+$/, '')}`;
}
