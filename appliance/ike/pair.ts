import assert from 'node:assert/strict';
import { createHash, createPrivateKey, createPublicKey } from 'node:crypto';
import { concat, fromHex, sameBytes } from '../lib/bytes.ts';
import { parsePrefix, selectorOf } from '../lib/ip.ts';
import type { Path } from '../lib/net.ts';
import { Secret } from '../lib/secret.ts';
import type { EndpointOptions, IkeEffect, IkeEndpoint, IkeEvent, IkeReport, Peer } from './api.ts';
import { createIkeEndpoint } from './endpoint.ts';
import { nonceLength } from './exchanges/auth.ts';

/* Two endpoints and a wire that is moved by hand, for tests that are written as traces. `test/sim` has the weather. */

export const atHome: Path = {
  local: { address: '192.0.2.1', port: 500 },
  remote: { address: '198.51.100.1', port: 500 },
};

const options: EndpointOptions = {
  cookieThreshold: 100,
  halfOpenLimit: 1_000,
  natTraversalPort: 4500,
  timeOfDay: (now) => Date.UTC(2026, 10, 22) + now,
};

function turned(path: Path): Path {
  return { local: path.remote, remote: path.local };
}

/** Both ends' view of the same agreement, by a shared key; X25519, AES-256-GCM. */
export function peers(changes: { home?: Partial<Peer>; portal?: Partial<Peer> } = {}): { home: Peer; portal: Peer } {
  const homeId = { kind: 'fqdn', value: 'home.example' } as const;
  const portalId = { kind: 'fqdn', value: 'portal.example' } as const;
  const psk = () => ({ kind: 'psk', secret: new Secret(new Uint8Array(Buffer.from('shared'))) }) as const;
  const lan = [selectorOf(parsePrefix('10.1.0.0/24'))];
  const corporate = [selectorOf(parsePrefix('10.0.0.0/8'))];
  const common = {
    ike: { ciphers: ['aes-256-gcm-16'], prfs: ['hmac-sha2-256'], keyExchanges: ['x25519'] },
    esp: { ciphers: ['aes-256-gcm-16'], keyExchanges: ['x25519'], esn: [true, false] },
    lifetimes: { childRekeySeconds: 3_600, ikeRekeySeconds: 14_400 },
    livenessSeconds: 0,
    encapsulation: 'auto',
    aggfrag: true,
    capabilities: { pathProbes: true, superPackets: false },
    keepaliveSeconds: 20,
  } as const;
  const ends = { localAuth: psk(), remoteAuth: psk() };
  return {
    home: {
      ...common,
      ...ends,
      name: 'portal',
      localId: homeId,
      remoteId: portalId,
      localSelectors: lan,
      remoteSelectors: corporate,
      ...changes.home,
    },
    portal: {
      ...common,
      ...ends,
      name: 'home',
      localId: portalId,
      remoteId: homeId,
      localSelectors: corporate,
      remoteSelectors: lan,
      ...changes.portal,
    },
  };
}

export function ed25519Pair(name: string): { privateKey: Secret; publicKey: Uint8Array } {
  const seed = new Uint8Array(createHash('sha256').update(name).digest());
  const pkcs8 = Buffer.from(concat(fromHex('302e020100300506032b657004220420'), seed));
  const key = createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' });
  const spki = createPublicKey(key).export({ format: 'der', type: 'spki' });
  return { privateKey: new Secret(seed), publicKey: new Uint8Array(spki.subarray(-32)) };
}

/** One endpoint, everything it sent that nobody has fetched yet, and everything else it wanted done. */
export class Side {
  readonly endpoint: IkeEndpoint;
  readonly wire: { readonly bytes: Uint8Array; readonly path: Path }[] = [];
  readonly effects: IkeEffect[] = [];
  readonly reports: IkeReport[] = [];
  /** Everything that it drew by chance, and what the first octet of the next nonce is to be. */
  readonly drawn: Uint8Array[] = [];
  firstOctet: number | null = null;
  /** Milliseconds that its clock is ahead of the pair's. */
  ahead = 0;
  #draws = 0;
  readonly #name: string;
  readonly #clock: { now: number };

  constructor(name: string, clock: { now: number }, changes: Partial<EndpointOptions> = {}) {
    this.#name = name;
    this.#clock = clock;
    this.endpoint = createIkeEndpoint({ ...options, ...changes });
  }

  get env() {
    return { now: this.#clock.now + this.ahead, random: (length: number) => this.#random(length) };
  }

  #random(length: number): Uint8Array {
    this.#draws += 1;
    const draw = createHash('shake256', { outputLength: length }).update(`${this.#name} ${this.#draws}`);
    const octets = new Uint8Array(draw.digest());
    if (this.firstOctet !== null && length === nonceLength) octets[0] = this.firstOctet;
    this.drawn.push(octets);
    return octets;
  }

  take(effects: readonly IkeEffect[]): void {
    for (const effect of effects) {
      if (effect.kind === 'send') this.wire.push(effect);
      else if (effect.kind === 'report') this.reports.push(effect.report);
      else this.effects.push(effect);
    }
  }

  step(event: IkeEvent): void {
    this.take(this.endpoint.step(event, this.env));
  }

  /** The next message that it sent. */
  next(): { readonly bytes: Uint8Array; readonly path: Path } {
    const message = this.wire.shift();
    if (message === undefined) throw new Error(`${this.#name} has sent nothing`);
    return message;
  }

  /** Hears a message of the other side; `path` is the sender's. */
  hear(message: { readonly bytes: Uint8Array; readonly path: Path }): void {
    this.step({ kind: 'datagram', bytes: message.bytes, path: turned(message.path) });
  }

  kinds(): string[] {
    return this.effects.map((effect) => effect.kind);
  }

  /** The newest child SA that it wanted installed. */
  installed() {
    const inbound = this.effects.findLast((effect) => effect.kind === 'installInbound');
    const outbound = this.effects.findLast((effect) => effect.kind === 'installOutbound');
    assert.ok(inbound && outbound);
    return { inbound: inbound.sa, outbound: outbound.sa };
  }
}

export class Pair {
  readonly clock = { now: 0 };
  readonly home: Side;
  readonly portal: Side;

  constructor(config: { home?: Partial<Peer>; portal?: Partial<Peer>; options?: Partial<EndpointOptions> } = {}) {
    this.home = new Side('home', this.clock, config.options);
    this.portal = new Side('portal', this.clock, config.options);
    const both = peers(config);
    this.home.endpoint.setPeer(both.home);
    this.portal.endpoint.setPeer(both.portal);
  }

  initiate(): void {
    this.home.step({ kind: 'initiate', peer: 'portal', path: atHome });
  }

  /** Carries messages both ways until nobody says anything more. */
  settle(): void {
    for (let turns = 0; turns < 100; turns += 1) {
      const [fromHome] = this.home.wire.splice(0, 1);
      const [fromPortal] = this.portal.wire.splice(0, 1);
      if (fromHome) this.portal.hear(fromHome);
      if (fromPortal) this.home.hear(fromPortal);
      if (!fromHome && !fromPortal) return;
    }
    throw new Error('they never stop talking');
  }

  establish(): void {
    this.initiate();
    this.settle();
    for (const side of [this.home, this.portal]) {
      side.effects.length = 0;
      side.reports.length = 0;
    }
  }

  /** Lets time pass; timers fire on the way. */
  wait(milliseconds: number): void {
    const until = this.clock.now + milliseconds;
    for (;;) {
      const at = Math.min(...[this.home, this.portal].map(({ endpoint, ahead }) => endpoint.wakeAt() - ahead));
      if (at > until) break;
      this.clock.now = Math.max(this.clock.now, at);
      for (const side of [this.home, this.portal]) side.step({ kind: 'wake' });
    }
    this.clock.now = until;
  }
}

/** What one end's newest child SA seals the other's opens, in both directions. */
export function sameKeys({ home, portal }: Pair): void {
  const [ofHome, ofPortal] = [home.installed(), portal.installed()];
  for (const [sealing, opening] of [
    [ofHome.outbound, ofPortal.inbound],
    [ofPortal.outbound, ofHome.inbound],
  ] as const) {
    assert.equal(sealing.spi, opening.spi);
    assert.ok(sameBytes(sealing.key.reveal(), opening.key.reveal()));
  }
}
