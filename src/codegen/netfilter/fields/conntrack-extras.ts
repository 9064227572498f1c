/** What a conntrack entry may have beside its core: counts, labels, the helper of its master (struct nf_ct_ext). */

import { add, and, at, div, exit, jeq, ldx, mov } from '../../../bpf/assembly.ts';
import type { Enumerator } from '../../../bpf/environment-members.ts';
import { R0, R1, R2, R3, R6, R7 } from '../../../bpf/instruction.ts';
import { castTo } from '../cast.ts';
import { callFunction, enumeratorOf, type HookContext, loadMember, loadSkb, memberPlace } from '../context.ts';
import { castBytes, followPointer } from './address.ts';
import { makeBoolean } from './boolean.ts';

/**
 * Function ct_extension(r1 address of a struct nf_conn or 0, r2 number of the extension) -> r0 its address or 0. An entry that is not yet
 * confirmed while a helper module goes away loses its extensions for the kernel (gen_id); here it keeps them.
 */
function emitCtExtension(ctx: HookContext): void {
  const none = ctx.out.label('noext');
  ctx.out.emit(mov.reg(R6, R2));
  followPointer(ctx, memberPlace(ctx.facts, 'nf_conn.ext').offset);
  ctx.out.emit(jeq.imm(R1, 0, none), mov.reg(R7, R1), add.reg(R1, R6));
  castBytes(ctx, memberPlace(ctx.facts, 'nf_ct_ext.offset').offset);
  ctx.out.emit(ldx.b(R0, R0, 0), jeq.imm(R0, 0, none), add.reg(R0, R7), exit(), at(none), mov.imm(R0, 0), exit());
}

/** r0 = address of an extension of the entry in r1, or 0. */
function callCtExtension(ctx: HookContext, id: Enumerator): void {
  ctx.out.emit(mov.imm(R2, enumeratorOf(ctx.facts, id)), callFunction(ctx, 'ct_extension', emitCtExtension));
}

function loadEntry(ctx: HookContext): void {
  ctx.out.emit(loadSkb(ctx, R1), loadMember(ctx, R1, R1, 'sk_buff._nfct'), and.imm(R1, ~7));
}

function loadExtension(ctx: HookContext, id: Enumerator): void {
  loadEntry(ctx);
  callCtExtension(ctx, id);
  ctx.out.emit(mov.reg(R1, R0));
}

export function loadAccounted(ctx: HookContext): void {
  loadExtension(ctx, 'nf_ct_ext_id.NF_CT_EXT_ACCT');
  makeBoolean(ctx);
}

export type CountDirection = 'original' | 'reply' | 'both';

/** Offset of a count in struct nf_conn_acct. */
function countOffset(ctx: HookContext, direction: 'original' | 'reply', what: 'packets' | 'bytes'): number {
  const counters = memberPlace(ctx.facts, 'nf_conn_acct.counter');
  const index = direction === 'original' ? 0 : 1;
  return counters.offset + index * (counters.size / 2) + memberPlace(ctx.facts, `nf_conn_counter.${what}`).offset;
}

/** dst = a count of the struct nf_conn_acct in r0; uses r2. */
function takeCount(ctx: HookContext, dst: number, direction: CountDirection, what: 'packets' | 'bytes'): void {
  const first = direction === 'reply' ? 'reply' : 'original';
  ctx.out.emit(ldx.dw(dst, R0, countOffset(ctx, first, what)));
  if (direction === 'both') ctx.out.emit(ldx.dw(R2, R0, countOffset(ctx, 'reply', what)), add.reg(dst, R2));
}

export function loadCount(what: 'packets' | 'bytes', direction: CountDirection): (ctx: HookContext) => void {
  return (ctx) => {
    loadExtension(ctx, 'nf_ct_ext_id.NF_CT_EXT_ACCT');
    castTo(ctx, 'nf_conn_acct');
    takeCount(ctx, R1, direction, what);
  };
}

/** Bytes for each packet; a division by zero gives 0, which is what the kernel says of a connection without packets. */
export function loadAverage(direction: CountDirection): (ctx: HookContext) => void {
  return (ctx) => {
    loadExtension(ctx, 'nf_ct_ext_id.NF_CT_EXT_ACCT');
    castTo(ctx, 'nf_conn_acct');
    takeCount(ctx, R1, direction, 'bytes');
    takeCount(ctx, SCRATCH, direction, 'packets');
    ctx.out.emit(div.reg(R1, SCRATCH));
  };
}

/** A scratch register that takeCount leaves alone. */
const SCRATCH = R3;

export function loadLabels(half: 'low' | 'high'): (ctx: HookContext) => void {
  return (ctx) => {
    loadExtension(ctx, 'nf_ct_ext_id.NF_CT_EXT_LABELS');
    castTo(ctx, 'nf_conn_labels');
    ctx.out.emit(ldx.dw(R1, R0, memberPlace(ctx.facts, 'nf_conn_labels.bits').offset + (half === 'low' ? 0 : 8)));
  };
}

/** r1 = address of the struct nf_conntrack_helper of the entry's master, or 0. */
function loadHelper(ctx: HookContext): void {
  const { out } = ctx;
  const done = out.label('helper');
  loadEntry(ctx);
  followPointer(ctx, memberPlace(ctx.facts, 'nf_conn.master').offset);
  callCtExtension(ctx, 'nf_ct_ext_id.NF_CT_EXT_HELPER');
  out.emit(mov.reg(R1, R0), jeq.imm(R1, 0, done));
  followPointer(ctx, memberPlace(ctx.facts, 'nf_conn_help.helper').offset);
  out.emit(at(done));
}

export function loadHelped(ctx: HookContext): void {
  loadHelper(ctx);
  makeBoolean(ctx);
}

/** Half of the helper's name as it lies in memory. */
export function loadHelperName(ctx: HookContext, half: 'high' | 'low'): void {
  loadHelper(ctx);
  castBytes(ctx, memberPlace(ctx.facts, 'nf_conntrack_helper.name').offset);
  ctx.out.emit(ldx.dw(R1, R0, half === 'high' ? 0 : 8));
}
