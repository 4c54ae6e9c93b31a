/** What the network said, in words for people. */
const sentences: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'refuses connections',
  ENETUNREACH: 'cannot be reached: no network',
  EHOSTUNREACH: 'cannot be reached: no way to it',
  ENETDOWN: 'cannot be reached: the network is down',
  ETIMEDOUT: 'does not answer',
  ECONNRESET: 'closed the connection',
  EPIPE: 'closed the connection',
  EADDRNOTAVAIL: 'cannot be asked: our own address is not there',
};

export function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
}

export function sentenceFor(error: unknown): string {
  return sentences[codeOf(error)] ?? (error instanceof Error ? error.message : String(error));
}
