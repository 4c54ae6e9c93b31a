import type { Peer } from '../ike/api.ts';
import { Pair } from '../ike/pair.ts';
import { Secret } from '../lib/secret.ts';
import { collect } from './collect.ts';

/*
 * The process that `wiping.test.ts` looks into: two ends with a tunnel, rekeyed some times. It remembers every key that there ever was, masked, so
 * that remembering it does not put it into memory once more, and tells which of them it still has.
 */

const mask = 0xa5;
const seen = new Map<Secret, Uint8Array>();
const reveal = Secret.prototype.reveal;

Secret.prototype.reveal = function (this: Secret): Uint8Array {
  const octets = reveal.call(this);
  if (!seen.has(this) && octets.some((octet) => octet !== 0))
    seen.set(
      this,
      octets.map((octet) => octet ^ mask),
    );
  return octets;
};

const hybrid = ['mlkem768'] as const;
const algorithms = {
  ike: {
    ciphers: ['aes-256-gcm-16'],
    prfs: ['hmac-sha2-256'],
    keyExchanges: ['x25519'],
    additionalKeyExchanges: hybrid,
  },
  esp: { ciphers: ['aes-256-gcm-16'], keyExchanges: ['x25519'], additionalKeyExchanges: hybrid, esn: [true] },
} as const satisfies Partial<Peer>;
const pair = new Pair({ home: algorithms, portal: algorithms });

/** As the shell does: the data plane has its copy, and the core keeps none. */
function install(): void {
  for (const side of [pair.home, pair.portal]) {
    for (const effect of side.effects) {
      if (effect.kind === 'installInbound' || effect.kind === 'installOutbound') {
        effect.sa.key.reveal();
        if (process.argv[2] !== 'keep') effect.sa.key.wipe();
      }
    }
    if (process.argv[2] !== 'keep') side.effects.length = 0;
  }
}

pair.initiate();
pair.settle();
install();
for (const what of ['child', 'ike', 'child', 'ike', 'child'] as const) {
  pair.home.step({ kind: 'rekey', peer: 'portal', what });
  pair.settle();
  install();
  pair.wait(5_000);
  pair.settle();
}
pair.wait(20_000);

/** Other work goes on, too, and overwrites what was freed or not. */
setTimeout(() => {
  collect();
  const alive: string[] = [];
  const gone: string[] = [];
  for (const [secret, masked] of seen) {
    const lives = reveal.call(secret).some((octet) => octet !== 0);
    (lives ? alive : gone).push(Buffer.from(masked).toString('hex'));
  }
  seen.clear();
  process.send?.({ alive: [...new Set(alive)], gone: [...new Set(gone)], up: pair.home.endpoint.status(0).length });
}, 50);
// What still uses the endpoints when the parent looks.
setInterval(() => pair.home.step({ kind: 'wake' }), 1_000);
