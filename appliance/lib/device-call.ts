/** What a box signs on each call of the portal's device API, and the portal checks (provisioning/device-api.md). */
import { createHash } from 'node:crypto';

export interface SignedCall {
  readonly method: string;
  /** With the query, as on the request line. */
  readonly path: string;
  readonly body: Uint8Array;
  readonly challenge: string;
  readonly counter: number;
}

/** The octets that are signed. The first line keeps them apart from everything else that the key ever signs. */
export function textToSign({ method, path, body, challenge, counter }: SignedCall): Buffer {
  const bodyHash = createHash('sha256').update(body).digest('hex');
  return Buffer.from(`moat-device-1\n${method}\n${path}\n${bodyHash}\n${challenge}\n${counter}\n`);
}
