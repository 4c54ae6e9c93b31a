import { z } from 'zod';
import { familyOf } from '../lib/ip.ts';
import { network } from './fields.ts';

const mapped = z
  .strictObject({
    /** What it is where it is. */
    network,
    /** What it is called on the other side; as large. */
    as: network,
  })
  .refine(
    ({ network: real, as }) => familyOf(real.address) === familyOf(as.address) && real.length === as.length,
    'as: expected a network of the same family and length',
  );

export const mapSchema = z
  .strictObject({
    /** Networks of ours, as the peer shall see them. */
    ours: z.array(mapped).max(16).default([]),
    /** Networks of the peer, as hosts of ours shall see them. */
    theirs: z.array(mapped).max(16).default([]),
  })
  .prefault({});
