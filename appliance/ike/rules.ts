import { exchangeTypes, firstStatusNotify, notifyTypes, type PayloadName } from './numbers.ts';
import type { Header } from './wire/header.ts';
import { notifies, type Payload } from './wire/payloads.ts';

/** How often a payload may stand in a message. What a row does not name is tolerated and not looked at. */
type Rule = 'one' | 'optional' | 'none';
type Row = Readonly<Partial<Record<PayloadName, Rule>>>;

/** RFC 7296 1.2 to 1.4 and its appendix C. Answers that carry an error notify need none of their payloads. */
const rows: Readonly<Record<string, Row>> = {
  'IKE_SA_INIT request': { SA: 'one', KE: 'one', Nonce: 'one', AUTH: 'none', D: 'none' },
  'IKE_SA_INIT response': { SA: 'one', KE: 'one', Nonce: 'one', AUTH: 'none', D: 'none' },
  'IKE_SESSION_RESUME request': { Nonce: 'one', AUTH: 'none', D: 'none' },
  'IKE_SESSION_RESUME response': { Nonce: 'one', AUTH: 'none', D: 'none' },
  'IKE_INTERMEDIATE request': { KE: 'one', AUTH: 'none', D: 'none' },
  'IKE_INTERMEDIATE response': { KE: 'one', AUTH: 'none', D: 'none' },
  'IKE_FOLLOWUP_KE request': { KE: 'one', D: 'none' },
  'IKE_FOLLOWUP_KE response': { KE: 'one', D: 'none' },
  // No AUTH asks for EAP; no SA, TSi and TSr is a childless SA (RFC 6023).
  'IKE_AUTH request': {
    IDi: 'one',
    IDr: 'optional',
    AUTH: 'optional',
    SA: 'optional',
    TSi: 'optional',
    TSr: 'optional',
    D: 'none',
  },
  'IKE_AUTH response': { IDr: 'one', AUTH: 'one', SA: 'optional', TSi: 'optional', TSr: 'optional', D: 'none' },
  'CREATE_CHILD_SA request': { SA: 'one', Nonce: 'one', KE: 'optional', TSi: 'optional', TSr: 'optional', D: 'none' },
  'CREATE_CHILD_SA response': { SA: 'one', Nonce: 'one', KE: 'optional', TSi: 'optional', TSr: 'optional', D: 'none' },
  'INFORMATIONAL request': {},
  'INFORMATIONAL response': {},
};

const exchangeNames = new Map<number, string>(Object.entries(exchangeTypes).map(([name, type]) => [type, name]));

export type Violation =
  | { readonly kind: 'unsupportedCritical'; readonly payloadType: number }
  | { readonly kind: 'syntax'; readonly detail: string };

/** Why the payloads may not stand in such a message; null when they may. */
export function violation(header: Header, payloads: readonly Payload[]): Violation | null {
  for (const payload of payloads) {
    if (payload.type === 'unknown' && payload.critical) {
      return { kind: 'unsupportedCritical', payloadType: payload.number };
    }
  }
  const name = `${exchangeNames.get(header.exchange)} ${header.response ? 'response' : 'request'}`;
  const row = rows[name];
  if (row === undefined) return { kind: 'syntax', detail: `exchange ${header.exchange} is not known` };
  const needed = !(header.response && isRefusal(header, payloads));
  for (const [payloadName, rule] of Object.entries(row)) {
    const count = payloads.filter((payload) => payload.type === payloadName).length;
    const least = rule === 'one' && needed ? 1 : 0;
    const most = rule === 'none' ? 0 : 1;
    if (count < least || count > most) return { kind: 'syntax', detail: `${count} ${payloadName} in ${name}` };
  }
  return null;
}

/** Those that begin an IKE SA. */
export const initialExchanges: readonly number[] = [exchangeTypes.IKE_SA_INIT, exchangeTypes.IKE_SESSION_RESUME];

/** RFC 7296 2.6, RFC 5685 3, RFC 5723 4.3.2. */
export const statusRefusals: readonly number[] = [notifyTypes.COOKIE, notifyTypes.REDIRECT, notifyTypes.TICKET_NACK];

/** An answer that refuses the exchange as a whole: an error, or a demand for a cookie. */
function isRefusal(header: Header, payloads: readonly Payload[]): boolean {
  const initial = initialExchanges.includes(header.exchange);
  return notifies(payloads).some(
    ({ notify }) => notify < firstStatusNotify || (initial && statusRefusals.includes(notify)),
  );
}
