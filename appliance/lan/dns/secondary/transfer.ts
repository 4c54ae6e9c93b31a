import { DecodeError } from '../../../lib/bytes.ts';
import type { Rr } from '../wire/message.ts';
import { Type } from '../wire/numbers.ts';
import { serialAfter, soaOf } from '../wire/rdata.ts';
import { type Zone, ZoneBuilder } from '../zone/zone.ts';

/**
 * Theory of operation. A transfer is one sequence of records, cut into messages anywhere (RFC 5936 2.2, RFC 1995 4):
 *
 *     AXFR         SOA(new)  everything else  SOA(new)
 *     IXFR         SOA(new)  { SOA(old) deletions  SOA(next) additions }...  SOA(new)
 *     IXFR, whole  as AXFR
 *     IXFR, none   SOA(ours or older), alone in its message
 *
 * The first two records tell which. Nothing is published before the last SOA.
 */
export type TransferState =
  | { readonly name: 'start' }
  | { readonly name: 'first'; readonly soa: Rr }
  | { readonly name: 'whole'; readonly soa: Rr; readonly builder: ZoneBuilder }
  | { readonly name: 'deleting' | 'adding'; readonly soa: Rr; readonly builder: ZoneBuilder; readonly serial: number }
  | { readonly name: 'done'; readonly result: 'current' }
  | { readonly name: 'done'; readonly result: 'zone'; readonly zone: Zone; readonly incremental: boolean };

export interface TransferContext {
  readonly zone: Zone | undefined;
  readonly origin: string;
}

/**
 * The state after the answer section of one message. @throws {DecodeError} on a sequence that is none of the above, or
 * a difference that does not fit our zone.
 */
export function stepTransfer(state: TransferState, answers: readonly Rr[], context: TransferContext): TransferState {
  let at = state;
  for (const rr of answers) at = stepRecord(at, rr, context);
  // RFC 1995 2, 4: one SOA that is not newer than ours means that there is nothing to send.
  if (at.name === 'first' && answers.length === 1 && context.zone) {
    if (!serialAfter(soaOf(at.soa.rdata).serial, context.zone.soa.serial)) return { name: 'done', result: 'current' };
  }
  return at;
}

function stepRecord(state: TransferState, rr: Rr, context: TransferContext): TransferState {
  switch (state.name) {
    case 'start':
      if (!isApexSoa(rr, context)) throw new DecodeError('a transfer that does not start with the SOA');
      return { name: 'first', soa: rr };
    case 'first':
      return second(state.soa, rr, context);
    case 'whole':
      return isApexSoa(rr, context) ? finishWhole(state, rr) : added(state, rr);
    case 'deleting':
    case 'adding':
      return stepDifference(state, rr, context);
    case 'done':
      throw new DecodeError('records behind the end of the transfer');
  }
}

function isApexSoa(rr: Rr, context: TransferContext): boolean {
  return rr.type === Type.SOA && rr.owner === context.origin;
}

function second(soa: Rr, rr: Rr, context: TransferContext): TransferState {
  const { zone, origin } = context;
  const serial = isApexSoa(rr, context) ? soaOf(rr.rdata).serial : undefined;
  if (serial !== undefined && zone && serial === zone.soa.serial && serial !== soaOf(soa.rdata).serial) {
    const builder = new ZoneBuilder(origin, zone);
    builder.remove(rr);
    return { name: 'deleting', soa, builder, serial };
  }
  const builder = new ZoneBuilder(origin);
  builder.add(soa);
  const whole = { name: 'whole', soa, builder } as const;
  return serial === undefined ? added(whole, rr) : finishWhole(whole, rr);
}

function added<S extends TransferState & { builder: ZoneBuilder }>(state: S, rr: Rr): S {
  state.builder.add(rr);
  return state;
}

function finishWhole(state: { soa: Rr; builder: ZoneBuilder }, rr: Rr): TransferState {
  // A primary that changed under way has to start again (RFC 5936 2.2).
  if (soaOf(rr.rdata).serial !== soaOf(state.soa.rdata).serial) throw new DecodeError('the two SOAs differ');
  return { name: 'done', result: 'zone', zone: state.builder.finish(), incremental: false };
}

type Difference = Extract<TransferState, { name: 'deleting' | 'adding' }>;

function stepDifference(state: Difference, rr: Rr, context: TransferContext): TransferState {
  if (!isApexSoa(rr, context)) {
    if (state.name === 'deleting') state.builder.remove(rr);
    else state.builder.add(rr);
    return state;
  }
  const serial = soaOf(rr.rdata).serial;
  if (state.name === 'deleting') {
    if (!serialAfter(serial, state.serial)) throw new DecodeError('a difference that goes back');
    state.builder.add(rr);
    return { ...state, name: 'adding', serial };
  }
  if (serial !== state.serial) throw new DecodeError('differences that do not join');
  if (serial === soaOf(state.soa.rdata).serial) {
    return { name: 'done', result: 'zone', zone: state.builder.finish(), incremental: true };
  }
  state.builder.remove(rr);
  return { ...state, name: 'deleting' };
}
