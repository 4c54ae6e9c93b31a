import type { EspAlgorithms, IkeAlgorithms, Peer } from '../../appliance/ike/api.ts';
import { shortLife, type TraceOptions } from './trace.ts';

/*
 * The situations that strongSwan has tests for (src/libcharon/tests/suites: child_rekey, ike_rekey, child_delete, ike_delete), by
 * name, as traces of our own ends (`trace.ts` has the words). What is different here, and why:
 * - a child that was deleted is made anew, so that both ends have one in the end;
 * - both ends take a group of the other's that they allow, so that only one of two can meet INVALID_KE_PAYLOAD;
 * - a peer that deletes what it should not is played by an end whose limits have come.
 */
export interface Scene {
  readonly suite: 'child_rekey' | 'ike_rekey' | 'child_delete' | 'ike_delete';
  readonly name: string;
  /** A trace each, with a letter where there are several ways. */
  readonly traces: readonly string[];
  /** Played with either end as a. */
  readonly roles?: boolean;
  /** How many nonces are numbered, each of which is the lowest once; and of those the ones with which b's exchange stays. */
  readonly nonces?: { readonly count: number; readonly bWins: readonly number[] };
  readonly a?: Partial<Peer>;
  readonly b?: Partial<Peer>;
  readonly left?: TraceOptions['left'];
}

const ike: IkeAlgorithms = { ciphers: ['aes-256-gcm-16'], prfs: ['hmac-sha2-256'], keyExchanges: ['x25519', 'ecp256'] };
const esp: EspAlgorithms = { ciphers: ['aes-256-gcm-16'], keyExchanges: ['x25519', 'ecp256'], esn: [true, false] };
const withMlKem = { additionalKeyExchanges: ['mlkem768'] } as const;
const hybrid = { ike: { ...ike, ...withMlKem }, esp: { ...esp, ...withMlKem } };
const onlyEcp = { ike, esp: { ...esp, keyExchanges: ['ecp256'] } } as const;
const any = { ike, esp };
const multiKe = { a: hybrid, b: hybrid };
/** In a mixed collision one end asks for ML-KEM and the other does not, but both can. */
const asks = { additionalKeyExchanges: ['mlkem768', 'none'] } as const;
const canDo = { additionalKeyExchanges: ['none', 'mlkem768'] } as const;
const mixed = {
  a: { ike: { ...ike, ...asks }, esp: { ...esp, ...asks } },
  b: { ike: { ...ike, ...canDo }, esp: { ...esp, ...canDo } },
};
const four = { count: 4, bWins: [0, 2] };

const childRekeys: readonly Omit<Scene, 'suite'>[] = [
  { name: 'regular', roles: true, traces: ['a child; a> REKEY_SA; b> KE; a> D; b> D'] },
  {
    name: 'regular_multi_ke',
    roles: true,
    ...multiKe,
    traces: ['a child; a> REKEY_SA; b> ADDITIONAL_KEY_EXCHANGE; a> IKE_FOLLOWUP_KE; b> IKE_FOLLOWUP_KE; a> D; b> D'],
  },
  {
    name: 'regular_ke_invalid',
    roles: true,
    a: any,
    b: onlyEcp,
    traces: ['a child; a> KE; b> INVALID_KE_PAYLOAD; a> REKEY_SA; b> KE; a> D; b> D'],
  },
  {
    name: 'regular_ke_invalid_multi_ke',
    roles: true,
    a: hybrid,
    b: { ...hybrid, esp: { ...onlyEcp.esp, ...withMlKem } },
    traces: [
      'a child; a> KE; b> INVALID_KE_PAYLOAD; a> REKEY_SA; b> ADDITIONAL_KEY_EXCHANGE; a> IKE_FOLLOWUP_KE; b> KE; a> D; b> D',
    ],
  },
  { name: 'regular_responder_ignore_soft_expire', traces: ['a child; a>; b> KE; b soft; a> D; b> D answer'] },
  {
    name: 'regular_responder_handle_hard_expire',
    traces: ['a child; a>; b> KE; b retire; a> D; b> D request; b> empty; a> empty'],
  },
  {
    name: 'regular_responder_delete',
    b: shortLife,
    traces: ['a child; a>; b> KE; b delete; a> D gap; b> D request gap; b> D answer gap; a> D answer gap'],
  },
  { name: 'regular_responder_lost_sa', traces: ['a child unknownChild; a> REKEY_SA; b> CHILD_SA_NOT_FOUND'] },
  {
    name: 'regular_responder_incorrect_delete',
    traces: ['a child; a>; b hold answer; b retire; b> D request gap; a> D answer gap; b release answer KE'],
  },
  {
    name: 'collision',
    nonces: four,
    traces: ['a child #0; b child #1; a> #2; b> #3; b> KE; a> KE; a> D; b> D; b> D; a> D'],
  },
  { name: 'collision_multi_ke', nonces: four, ...multiKe, traces: ['a child #0; b child #1; a> #2; b> #3; b>; a>'] },
  { name: 'collision_mixed', nonces: four, ...mixed, traces: ['a child #0; b child #1; a> #2; b> #3; b>; a>'] },
  {
    name: 'collision_delayed_response',
    nonces: four,
    traces: ['a child #0; b child #1; a> #2; b> #3; b hold answer; a> KE; b> D; a> D; b release answer KE; a> D; b> D'],
  },
  {
    name: 'collision_delayed_response_delete',
    b: shortLife,
    traces: [0, 1, 2, 3].map(
      () =>
        'a child #0; b child #1; a> #2; b> #3; b hold answer; a> KE; b> D; a> D; b delete; b> D gap; a> gap; b release answer gap',
    ),
    nonces: { count: 4, bWins: [] },
  },
  {
    name: 'collision_delayed_response_multi_ke',
    nonces: four,
    ...multiKe,
    traces: ['a child #0; b child #1; a> #2; b> #3; b hold answer; a>; b>; a>; b release answer'],
  },
  {
    name: 'collision_delayed_request',
    nonces: { count: 3, bWins: [0, 1, 2] },
    traces: [
      'a child #0; a hold request; b child #1; b> #2; a> KE; a release request; b> D; a> D; b> TEMPORARY_FAILURE',
      'a child #0; a hold request; b child #1; b> #2; a> KE; b hold delete; a release request; b> TEMPORARY_FAILURE; b release delete D; a> D',
    ],
  },
  {
    name: 'collision_delayed_request_more',
    nonces: { count: 3, bWins: [0, 1, 2] },
    traces: [
      'a child #0; a hold request; b child #1; b> #2; a> KE; b> D; a> D; a release request; b> CHILD_SA_NOT_FOUND',
    ],
  },
  {
    name: 'collision_delayed_request_more_delete',
    b: shortLife,
    traces: [
      'a child; a hold request; b child; b>; a> KE; b> D; a> D; b delete; b> D gap; a> D gap; a release request gap; b> CHILD_SA_NOT_FOUND gap',
    ],
  },
  {
    name: 'collision_delayed_request_multi_ke',
    nonces: { count: 3, bWins: [0, 1, 2] },
    ...multiKe,
    traces: [
      'a child #0; a hold request; b child #1; b> #2; a>; b>; a>; a release request; b> D; a> D; b> TEMPORARY_FAILURE',
      'a child #0; a hold request; b child #1; b> #2; a>; b>; a>; b> D; a> D; a release request; b> CHILD_SA_NOT_FOUND',
    ],
  },
  {
    name: 'collision_ke_invalid',
    a: any,
    b: onlyEcp,
    traces: ['a child; b child; a>; b> REKEY_SA; b> INVALID_KE_PAYLOAD; a> KE; b> D; a> D'],
  },
  {
    name: 'collision_ke_invalid_delayed_retry',
    a: any,
    b: onlyEcp,
    traces: [
      'a child; b child; a>; b hold request; b> INVALID_KE_PAYLOAD; a hold retry; b release request REKEY_SA; a> KE; a release retry; b> D; a> D; b> TEMPORARY_FAILURE',
    ],
  },
  {
    name: 'collision_responder_incorrect_delete',
    nonces: { count: 4, bWins: [0, 2] },
    traces: ['a child #0; b child #1; a> #2; b> #3; b hold answer; a> KE; b> D; a> D; b retire; b release answer KE'],
  },
  {
    name: 'collision_delete',
    roles: true,
    b: shortLife,
    traces: ['a child; b delete; a> REKEY_SA; b> D gap; b> TEMPORARY_FAILURE gap; a> D gap'],
  },
  {
    name: 'collision_delete_multi_ke',
    roles: true,
    a: hybrid,
    b: { ...hybrid, ...shortLife },
    traces: [
      'a child; b delete; a> REKEY_SA; b> D gap; b> TEMPORARY_FAILURE gap; a> D gap',
      'a child; a>; b>; b delete; a> IKE_FOLLOWUP_KE gap; b> gap; b> gap',
    ],
  },
  {
    name: 'collision_delete_drop_delete',
    roles: true,
    b: shortLife,
    traces: ['a child; b delete; b hold delete; a> REKEY_SA; b> TEMPORARY_FAILURE; b release delete D gap; a> D gap'],
  },
  {
    name: 'collision_delete_drop_rekey',
    roles: true,
    b: shortLife,
    traces: ['a child; a hold request; b delete; b> D gap; a> D gap; a release request gap; b> CHILD_SA_NOT_FOUND gap'],
  },
  {
    name: 'collision_delete_delayed_response',
    roles: true,
    b: shortLife,
    traces: ['a child; a> REKEY_SA; b hold answer; b delete; b> D gap; a> gap; b release answer gap'],
  },
  {
    name: 'collision_ike_rekey',
    roles: true,
    traces: ['a child; b ike; a> REKEY_SA; b> SA; b> TEMPORARY_FAILURE; a> TEMPORARY_FAILURE'],
  },
  {
    name: 'collision_ike_delete',
    roles: true,
    left: 0,
    traces: ['a child; b close gap; a> REKEY_SA gap; b> D gap; b> TEMPORARY_FAILURE gap; a> empty gap'],
  },
];

const ikeRekeys: readonly Omit<Scene, 'suite'>[] = [
  { name: 'regular', roles: true, traces: ['a ike; a> SA; b> KE; a> D; b> empty'] },
  {
    name: 'regular_multi_ke',
    roles: true,
    ...multiKe,
    traces: ['a ike; a> SA; b> ADDITIONAL_KEY_EXCHANGE; a> IKE_FOLLOWUP_KE; b> KE; a> D; b> empty'],
  },
  {
    name: 'regular_ke_invalid',
    roles: true,
    a: any,
    b: any,
    traces: ['a ike otherGroup; a> SA; b> INVALID_KE_PAYLOAD'],
  },
  {
    name: 'regular_ke_invalid_multi_ke',
    roles: true,
    ...multiKe,
    traces: ['a ike otherGroup; a> SA; b> INVALID_KE_PAYLOAD'],
  },
  { name: 'collision', nonces: four, traces: ['a ike #0; b ike #1; a> #2; b> #3; b> KE; a> KE'] },
  { name: 'collision_multi_ke', nonces: four, ...multiKe, traces: ['a ike #0; b ike #1; a> #2; b> #3; b> KE; a> KE'] },
  { name: 'collision_mixed', nonces: four, ...mixed, traces: ['a ike #0; b ike #1; a> #2; b> #3; b> KE; a> KE'] },
  { name: 'collision_ke_invalid', traces: ['a ike otherGroup; b ike; a> SA; b> SA; b> INVALID_KE_PAYLOAD; a> KE'] },
  {
    name: 'collision_ke_invalid_delayed_retry',
    traces: ['a ike otherGroup; b ike; a> SA; b hold request; b> INVALID_KE_PAYLOAD; b release request SA; a> KE'],
  },
  {
    name: 'collision_delayed_response',
    nonces: four,
    traces: ['a ike #0; b ike #1; a> #2; b> #3; b hold answer; a> KE; b> D; a>; b release answer KE'],
  },
  {
    name: 'collision_delayed_response_multi_ke',
    nonces: four,
    ...multiKe,
    traces: ['a ike #0; b ike #1; a> #2; b> #3; b hold answer; a> KE; b>; a>; b release answer KE'],
  },
  {
    name: 'collision_dropped_request',
    nonces: { count: 3, bWins: [0, 1, 2] },
    traces: ['a ike #0; a drop; b ike #1; b> #2; a> KE; b> D; a> empty'],
  },
  {
    name: 'collision_delayed_request',
    nonces: { count: 3, bWins: [0, 1, 2] },
    traces: [
      'a ike #0; a hold request; b ike #1; b> #2; a> KE; a release request; b> D; b> TEMPORARY_FAILURE; a> empty',
    ],
  },
  {
    name: 'collision_delayed_request_and_delete',
    nonces: { count: 3, bWins: [0, 1, 2] },
    traces: [
      'a ike #0; a hold request; b ike #1; b> #2; a> KE; b hold delete; a release request; b> TEMPORARY_FAILURE; b release delete D; a> empty',
    ],
  },
  {
    name: 'collision_delayed_request_multi_ke',
    nonces: { count: 3, bWins: [0, 1, 2] },
    ...multiKe,
    traces: [
      'a ike #0; a hold request; b ike #1; b> #2; a>; b>; a> KE; a release request; b> D; b> TEMPORARY_FAILURE; a> empty',
      'a ike #0; a hold request; b ike #1; b> #2; a>; b>; a> KE; b hold delete; a release request; b> TEMPORARY_FAILURE; b release delete D; a> empty',
    ],
  },
  {
    name: 'collision_delete',
    roles: true,
    left: 0,
    traces: ['a ike; b close gap; a> SA gap; b> D gap; b> TEMPORARY_FAILURE gap; a> empty gap'],
  },
  {
    name: 'collision_delete_multi_ke',
    roles: true,
    left: 0,
    ...multiKe,
    traces: [
      'a ike; b close gap; a> SA gap; b> D gap; b> TEMPORARY_FAILURE gap; a> empty gap',
      'a ike; a> SA; b> KE; b close gap; a> IKE_FOLLOWUP_KE gap; b> D gap',
    ],
  },
  {
    name: 'collision_delete_drop_delete',
    roles: true,
    left: 0,
    traces: [
      'a ike; b close gap; b hold delete gap; a> SA gap; b> TEMPORARY_FAILURE gap; b release delete D gap; a> empty gap',
    ],
  },
];

const childDeletes: readonly Omit<Scene, 'suite'>[] = [
  { name: 'regular', roles: true, a: shortLife, traces: ['a delete; a> D gap; b> D gap'] },
  {
    name: 'collision',
    a: shortLife,
    b: shortLife,
    traces: ['a delete; b delete; a> D gap; b> D gap; b> empty gap; a> empty gap'],
  },
  {
    name: 'collision_drop',
    a: shortLife,
    b: shortLife,
    traces: ['a delete; b delete; a> D gap; b hold delete gap; b> empty gap; b release delete D gap; a> gap'],
  },
];

const ikeDeletes: readonly Omit<Scene, 'suite'>[] = [
  { name: 'regular', roles: true, left: 0, traces: ['a close gap; a> D gap; b> empty gap'] },
  { name: 'collision', left: 0, traces: ['a close gap; b close gap; a> D gap; b> D gap; b> empty gap; a> empty gap'] },
];

export const scenes: readonly Scene[] = [
  ...childRekeys.map((scene) => ({ suite: 'child_rekey', ...scene }) as const),
  ...ikeRekeys.map((scene) => ({ suite: 'ike_rekey', ...scene }) as const),
  ...childDeletes.map((scene) => ({ suite: 'child_delete', ...scene }) as const),
  ...ikeDeletes.map((scene) => ({ suite: 'ike_delete', ...scene }) as const),
];
