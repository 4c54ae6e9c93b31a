/**
 * The rows of the database as TypeScript sees them. Columns are snake_case in the database and camelCase here. Times are
 * milliseconds since 1970; JSON is text (the same in both databases); `archivedAt` is null while a record is in use.
 */
import type { Generated } from 'kysely';

interface Archived {
  archivedAt: number | null;
}

export interface CustomerRow extends Archived {
  id: Generated<number>;
  name: string;
  email: string;
  note: string;
}

export interface PortalRow extends Archived {
  id: Generated<number>;
  name: string;
  ikeId: string;
  publicKey: string;
  /** JSON lists: where boxes call, which networks lie behind, where the device API answers. */
  addresses: string;
  networks: string;
  apiUrls: string;
  /** Base64 of the Ed25519 key that the device API's TLS certificate holds. */
  apiKey: string;
  settings: string;
}

export interface PolicyRow extends Archived {
  id: Generated<number>;
  name: string;
  settings: string;
  note: string;
}

export interface ZoneRow extends Archived {
  id: Generated<number>;
  policyId: number;
  name: string;
  /** JSON list of the zones (and `internet`, `tunnel`) that it may start a conversation with. */
  reaches: string;
}

export interface DnsZoneRow extends Archived {
  id: Generated<number>;
  name: string;
  policyId: number | null;
  primaries: string;
  /** `NAME:SECRET`, or empty. */
  tsigKey: string;
  /** JSON: a list of domains, or null for a zone that is no catalog. */
  catalogWithin: string;
}

export interface PoolRow extends Archived {
  id: Generated<number>;
  name: string;
  prefix: string;
  siteLength: number;
}

export interface SiteRow extends Archived {
  id: Generated<number>;
  customerId: number;
  name: string;
  policyId: number;
  portalId: number;
  settings: string;
}

export interface RangeRow extends Archived {
  id: Generated<number>;
  poolId: number;
  siteId: number;
  /** Counts the pool's ranges from 0; unique in the pool, which is what makes ranges disjoint. */
  slot: number;
  prefix: string;
}

export interface DeviceRow extends Archived {
  id: Generated<number>;
  siteId: number;
  name: string;
  ikeId: string;
  channel: string;
  settings: string;
  /** `expected`: waits for its first call; `enrolled`; `revoked`. */
  state: string;
  /** JSON of the portal that it is sent to, or the empty text. */
  movedTo: string;
  note: string;
}

export interface KeyRow extends Archived {
  id: Generated<number>;
  deviceId: number;
  publicKey: string;
  /** `factory`: known before the first call; `active`; `next`: announced by a rotation; `retired`. */
  state: string;
}

export interface ReleaseRow extends Archived {
  id: Generated<number>;
  name: string;
  channel: string;
  url: string;
  sha256: string;
  signature: string;
  /** `draft`, `rolling`, or `stopped`. */
  state: string;
  percent: number;
  maxFailures: number;
}

export interface RevisionRow {
  id: number;
  at: number;
  author: string;
  summary: string;
}

export interface RevisionChangeRow {
  id: Generated<number>;
  revisionId: number;
  kind: string;
  recordId: number;
  label: string;
  /** JSON of the row, or null where there was none or where it has been purged. */
  before: string | null;
  after: string | null;
}

export interface CompiledRow {
  deviceId: number;
  /** Counts this device's configurations; 0 is a hand-written file's. */
  revision: number;
  /** The last revision of the fleet that changed it: what the portals ask for after a notification. */
  fleetRevision: number;
  portalId: number;
  body: string;
  /** JSON of the peer in the portal's own configuration; empty when the box may not call. */
  peer: string;
}

export interface EventRow {
  id: Generated<number>;
  at: number;
  kind: string;
  device: string;
  detail: string;
}

export interface EnrolCodeRow {
  id: Generated<number>;
  deviceId: number;
  /** SHA-256 of the code, hexadecimal: the code itself (100 random bits) is stored nowhere. */
  hash: string;
  createdAt: number;
  expiresAt: number;
  usedAt: number | null;
  /** The key that it was used for, so that a box whose answer was lost may ask again. */
  usedBy: string | null;
}

export interface DeviceStatusRow {
  deviceId: number;
  seenAt: number;
  /** `up`, `degraded` or `down`, as the box said it; `silent` is worked out from seenAt. */
  health: string;
  version: string;
  appliedRevision: number;
  confirmedRevision: number;
  report: string;
}

export interface SampleRow {
  deviceId: number;
  at: number;
  lossPermille: number;
  roundTripMs: number;
  receivedKbps: number;
  sentKbps: number;
}

export interface OperatorRow {
  id: Generated<number>;
  name: string;
  role: string;
  password: string;
  totpSecret: string;
  /** The last TOTP time step that was used: a code works once. */
  totpStep: number;
  createdAt: number;
}

export interface SessionRow {
  hash: string;
  operatorId: number;
  csrf: string;
  expiresAt: number;
}

export interface PasskeyRow {
  /** The credential's own, base64url. */
  id: string;
  operatorId: number;
  /** The host name that it was made for. */
  rpId: string;
  name: string;
  /** In its COSE form, base64. */
  publicKey: string;
  signCount: number;
  createdAt: number;
  usedAt: number | null;
}

export interface Tables {
  customers: CustomerRow;
  portals: PortalRow;
  policies: PolicyRow;
  zones: ZoneRow;
  dnsZones: DnsZoneRow;
  pools: PoolRow;
  sites: SiteRow;
  ranges: RangeRow;
  devices: DeviceRow;
  keys: KeyRow;
  releases: ReleaseRow;
  revisions: RevisionRow;
  revisionChanges: RevisionChangeRow;
  compiled: CompiledRow;
  events: EventRow;
  enrolCodes: EnrolCodeRow;
  deviceStatus: DeviceStatusRow;
  samples: SampleRow;
  operators: OperatorRow;
  sessions: SessionRow;
  passkeys: PasskeyRow;
}
