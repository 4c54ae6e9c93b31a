import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { ed25519PublicText } from '../config/files.ts';

export function keygenCommand(options: { out: string; json?: boolean }): void {
  const { privateKey } = generateKeyPairSync('ed25519');
  try {
    writeFileSync(options.out, privateKey.export({ format: 'pem', type: 'pkcs8' }), { mode: 0o600, flag: 'wx' });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST')
      throw new Error(`${options.out} exists and is not overwritten: a lost key is a lost identity`);
    throw new Error(`${options.out} cannot be written: ${code}`);
  }
  const publicKey = ed25519PublicText(privateKey);
  const publicKeyPem = createPublicKey(privateKey).export({ format: 'pem', type: 'spki' });
  process.stdout.write(
    options.json ? `${JSON.stringify({ privateKeyFile: options.out, publicKey, publicKeyPem })}\n` : `${publicKey}\n`,
  );
}
