/** The key that images and bundles are signed with: a file of the one who releases, or one of this checkout for trying out. */
import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { resetOrder } from '../rootfs/box/reset-order.ts';

const ownKey = join(import.meta.dirname, '../.build/image/signing.key');

/** `MOAT_SIGNING_KEY` names a PEM file with an Ed25519 private key. */
export function signingKey(): KeyObject {
  const path = process.env.MOAT_SIGNING_KEY ?? ownKey;
  if (!existsSync(path)) {
    if (path !== ownKey) throw new Error(`there is no signing key at ${path}`);
    mkdirSync(dirname(path), { recursive: true });
    const pem = generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' });
    writeFileSync(path, pem, { mode: 0o600 });
  }
  return createPrivateKey(readFileSync(path));
}

const [task, subject] = process.argv.slice(2);
if (task === 'public') process.stdout.write(createPublicKey(signingKey()).export({ type: 'spki', format: 'pem' }));
// The file `moat-reset` for a stick; `subject` is the public key of the one box that is to forget everything.
if (task === 'reset' && subject !== undefined) process.stdout.write(resetOrder(subject, signingKey()));
