import { createHmac } from 'node:crypto';
import type { LoadedConfig } from '../config/files.ts';

/**
 * What the tokens of RFC 6290 are made of. It has to be the same after a restart and unknown to everybody else, as our own keys are;
 * so it is derived from one of them, and nothing more needs to be kept on the disk.
 */
export function crashSecret(loaded: LoadedConfig): { readonly crashSecret?: Uint8Array } {
  const [shared] = loaded.sharedSecrets.values();
  const key = loaded.privateKey ?? loaded.certificate?.privateKey ?? shared;
  if (!key) return {};
  return { crashSecret: new Uint8Array(createHmac('sha256', key.reveal()).update('moat crash secret').digest()) };
}
