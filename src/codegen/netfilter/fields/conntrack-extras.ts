/** What a conntrack entry may have beside its core: counts, labels, the helper of its master (struct nf_ct_ext). */

import { add, and, at, div, exit, jeq, ldx, mov, stx } from '../../../bpf/assembly.ts';
import type { Enumerator } from '../../../bpf/environment-members.ts';
import { R0, R1, R2, R6, R7, R10 } from '../../../bpf/instruction.ts';
import {
  callFunction,
  enumeratorOf,
  type HookContext,
  loadMember,
  loadSkb,
  memberPlace,
  releaseScratch,
} from '../context.ts';
import { STACK } from '../layout.ts';
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

/** r1 = a count of one direction, or of both; uses a scratch slot that is zero. */
function loadSum(ctx: HookContext, direction: CountDirection, what: 'packets' | 'bytes'): void {
  loadOne(ctx, direction === 'reply' ? 'reply' : 'original', what);
  if (direction !== 'both') return;
  ctx.out.emit(stx.dw(R10, STACK.key, R1));
  loadOne(ctx, 'reply', what);
  ctx.out.emit(ldx.dw(R2, R10, STACK.key), add.reg(R1, R2));
  releaseScratch(ctx, STACK.key);
}

/** r1 = a count, 0 where nothing is counted: nothing can be read close to address 0. */
function loadOne(ctx: HookContext, direction: 'original' | 'reply', what: 'packets' | 'bytes'): void {
  loadExtension(ctx, 'nf_ct_ext_id.NF_CT_EXT_ACCT');
  castBytes(ctx, countOffset(ctx, direction, what));
  ctx.out.emit(ldx.dw(R1, R0, 0));
}

export function loadCount(what: 'packets' | 'bytes', direction: CountDirection): (ctx: HookContext) => void {
  return (ctx) => loadSum(ctx, direction, what);
}

/** Bytes for each packet; a division by zero gives 0, which is what the kernel says of a connection without packets. */
export function loadAverage(direction: CountDirection): (ctx: HookContext) => void {
  return (ctx) => {
    loadSum(ctx, direction, 'packets');
    ctx.out.emit(stx.dw(R10, STACK.value, R1));
    loadSum(ctx, direction, 'bytes');
    ctx.out.emit(ldx.dw(R2, R10, STACK.value), div.reg(R1, R2));
    releaseScratch(ctx, STACK.value);
  };
}

export function loadLabels(half: 'low' | 'high'): (ctx: HookContext) => void {
  return (ctx) => {
    loadExtension(ctx, 'nf_ct_ext_id.NF_CT_EXT_LABELS');
    castBytes(ctx, memberPlace(ctx.facts, 'nf_conn_labels.bits').offset);
    ctx.out.emit(ldx.dw(R1, R0, half === 'low' ? 0 : 8));
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
