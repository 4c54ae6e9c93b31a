import type { Database } from '../db/database.ts';
import type { StatusReport } from '../device-api/messages.ts';
import { type ChangeRequest, change } from '../facts/change.ts';
import { addRecord } from '../facts/fleet.ts';

/** Of a box that has nothing to complain of. */
export const goodReport: StatusReport = {
  version: '1.0.0',
  health: 'up',
  doctor: 'All is well.',
  appliedRevision: 1,
  confirmedRevision: 1,
};

export const request: ChangeRequest = { author: 'test', summary: 'test', now: Date.UTC(2026, 10, 22) };

/** A portal, the default policy, an IPv4 and an IPv6 pool, and a customer, in one revision. */
export async function firstFacts(database: Database): Promise<void> {
  await change(database, request, async (edit) => {
    await addRecord(edit, 'portal', {
      name: 'portal',
      ikeId: 'portal.example',
      publicKey: Buffer.alloc(32, 200).toString('base64'),
      addresses: ['198.51.100.10'],
      networks: ['10.1.0.0/16', 'fd01:1::/64'],
      apiUrls: ['https://198.51.100.10:8443'],
      apiKey: Buffer.alloc(32, 201).toString('base64'),
    });
    await addRecord(edit, 'policy', { name: 'default' });
    await addRecord(edit, 'pool', { name: 'v4', prefix: '10.64.0.0/10', siteLength: 24 });
    await addRecord(edit, 'pool', { name: 'v6', prefix: 'fd77::/48', siteLength: 64 });
    await addRecord(edit, 'customer', { name: 'acme' });
  });
}
