import type { ApplianceStatus } from './status.ts';
import type { Wan } from './wan.ts';

/** What the DNS service tells people whose names cannot be resolved; `appliance/lan/dns/local/why.ts` reads it. */
export function whyText({ sentence, tunnel }: ApplianceStatus, wan: Wan): string {
  const state = tunnel?.state === 'up' ? 'up' : tunnel?.state === 'down' ? 'down' : 'unknown';
  const way = { wan: wan.state, tunnel: wan.state === 'down' ? 'down' : state };
  return `${JSON.stringify({ sentence: wan.sentence ?? sentence, ...way })}\n`;
}
