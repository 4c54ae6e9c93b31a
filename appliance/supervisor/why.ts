import type { ApplianceStatus } from './status.ts';

/** What the DNS service tells people whose names cannot be resolved; `appliance/lan/dns/local/why.ts` reads it. */
export function whyText({ sentence, tunnel }: ApplianceStatus): string {
  const up = tunnel?.state === 'up' ? 'up' : tunnel?.state === 'down' ? 'down' : 'unknown';
  return `${JSON.stringify({ sentence, wan: 'unknown', tunnel: up })}\n`;
}
