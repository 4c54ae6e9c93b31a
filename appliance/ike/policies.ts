import type { ChildPolicy, Peer } from './api.ts';
import type { Child } from './family.ts';
import { narrowSelectors } from './selectors.ts';
import type { Established } from './states.ts';

/* Which child SAs there are with a peer: one for each policy. */

/** Without a list, one policy of all selectors. */
export function policiesOf(peer: Peer): readonly [ChildPolicy, ...ChildPolicy[]] {
  const [first, ...more] = peer.children ?? [];
  return first === undefined ? [peer] : [first, ...more];
}

type Host = Pick<Established, 'peer' | 'family'>;

/** With the addresses that one end has given the other (RFC 7296 2.19), which belong to every policy. */
function policiesWith({ peer, family }: Host): ChildPolicy[] {
  const { local, remote } = family.assigned;
  return policiesOf(peer).map(({ localSelectors, remoteSelectors }) => ({
    localSelectors: [...localSelectors, ...local],
    remoteSelectors: [...remoteSelectors, ...remote],
  }));
}

export function policyOf(host: Host, index: number): ChildPolicy {
  return policiesWith(host)[index] ?? policiesOf(host.peer)[0];
}

/** The first policy for which there is no child SA; null when none is missing. */
export function missingPolicy({ peer, family }: Host): number | null {
  const has = new Set(family.children.map(({ policy }) => policy));
  const missing = policiesOf(peer).findIndex((_, index) => !has.has(index));
  return missing < 0 ? null : missing;
}

export interface Narrowed {
  readonly policy: number;
  readonly local: ChildPolicy['localSelectors'];
  readonly remote: ChildPolicy['remoteSelectors'];
}

/** RFC 7296 2.9: what the peer's wishes and each policy have in common. */
export function narrowings(
  host: Host,
  wishes: { readonly local: ChildPolicy['localSelectors']; readonly remote: ChildPolicy['remoteSelectors'] },
): Narrowed[] {
  return policiesWith(host).flatMap(({ localSelectors, remoteSelectors }, policy) => {
    const local = narrowSelectors(wishes.local, localSelectors);
    const remote = narrowSelectors(wishes.remote, remoteSelectors);
    return local.length > 0 && remote.length > 0 ? [{ policy, local, remote }] : [];
  });
}

/** The one that a new child of the peer would serve; a policy that has its child takes no other. */
export function freeNarrowing(found: readonly Narrowed[], children: readonly Child[]): Narrowed | null {
  const taken = new Set(children.filter(({ phase }) => phase === 'live').map(({ policy }) => policy));
  return found.find(({ policy }) => !taken.has(policy)) ?? null;
}
