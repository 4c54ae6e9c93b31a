/** How the ends of a tunnel prove themselves other than by pinned keys: certificates, and post-quantum pre-shared keys. */
import { z } from 'zod';
import { Secret } from '../lib/secret.ts';
import { certificatesOf } from './certificates.ts';
import { checked } from './fields.ts';

const file = z.string().min(1);

const certificates = checked(certificatesOf);

/** Our own certificate, for peers that want one. */
export const certificateSchema = z
  .strictObject({
    /** PEM, our own first and then what stands between it and the authority; in the file, or here. */
    chainFile: file.optional(),
    chain: certificates.optional(),
    /** PKCS #8: RSA, ECDSA on P-256 or P-384, or Ed25519. */
    privateKeyFile: file,
  })
  .refine(({ chainFile, chain }) => (chainFile === undefined) !== (chain === undefined), 'expected chain or chainFile');

/** By which certificates a peer may prove itself. */
export const x509Schema = z
  .strictObject({
    /** PEM of the authorities, in files or here. */
    authorityFiles: z.array(file).max(16).default([]),
    authorities: certificates.optional(),
    /** DER or PEM. */
    revocationListFiles: z.array(file).max(16).default([]),
    /** Asked again when a list runs out, and kept until a newer one is there. */
    revocationListUrls: z
      .array(z.url({ protocol: /^https?$/ }))
      .max(16)
      .default([]),
    /** `required`: without a valid list of its authority no certificate is good. */
    revocation: z.enum(['ifAvailable', 'required']).default('ifAvailable'),
  })
  .refine(
    ({ authorityFiles, authorities }) => authorityFiles.length > 0 || authorities !== undefined,
    'expected authorityFiles or authorities',
  );

/** RFC 8784. */
export const ppkSchema = z
  .strictObject({
    id: z.string().regex(/^[\x21-\x7e]{1,64}$/, 'expected 1 to 64 printable characters, the same name at both ends'),
    secret: z
      .string()
      .min(32, 'expected at least 32 characters: 256 bits of chance')
      .transform((text) => new Secret(new TextEncoder().encode(text)))
      .optional(),
    secretFile: file.optional(),
    /** No tunnel with a peer that has it not. */
    required: z.boolean().default(false),
  })
  .refine(
    ({ secret, secretFile }) => (secret === undefined) !== (secretFile === undefined),
    'expected secret or secretFile',
  );
