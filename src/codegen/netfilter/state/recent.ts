/**
 * recent: a global function for each list, in which all of recent_mt happens under the list's lock.
 *
 * Times in a ring never decrease, so "at least k of them since t" asks only whether the k-th newest is not before t.
 */

import {
  add,
  and,
  at,
  call,
  exit,
  ja,
  jeq,
  jgt,
  jle,
  jlt,
  jne,
  jset,
  jsge,
  jsgt,
  lddw,
  ldx,
  lsh,
  mov,
  mul,
  rsh,
  st,
  stx,
  sub,
  xor,
} from '../../../bpf/assembly.ts';
import type { Label } from '../../../bpf/code.ts';
import { R0, R1, R2, R3, R4, R5, R6, R7, R8, R9, R10 } from '../../../bpf/instruction.ts';
import type { StatefulTest } from '../../../policy/ir.ts';
import { recentJiffies } from '../../../policy/recent.ts';
import { type BodyContext, callGlobal, type HookContext, releaseScratch } from '../context.ts';
import { loadField, loadHalf } from '../fields.ts';
import { HELPER, STACK } from '../layout.ts';
import type { NamedMap } from './named-map.ts';
import { bucketBits, ENTRY, ENTRY_FAMILY, LIST } from './recent-layout.ts';
import {
  insertEntry,
  type ListContext,
  moveLast,
  pointTo,
  type RecentTable,
  removeEntry,
  takeFree,
} from './recent-list.ts';

type RecentTest = StatefulTest & { readonly kind: 'recent' };

/** The question as a number: the operation, bits, and the hit count from bit 16 on. */
const OPERATION = { set: 1, rcheck: 2, update: 4, remove: 8 } as const;
const ASK = { invert: 16, reap: 32, ttl: 64, seconds: 128 } as const;
const HITS_SHIFT = 16;

function questionWord({ question }: RecentTest): number {
  const bits =
    OPERATION[question.operation] |
    (question.invert ? ASK.invert : 0) |
    (question.reap ? ASK.reap : 0) |
    (question.ttl ? ASK.ttl : 0) |
    (question.seconds > 0 ? ASK.seconds : 0);
  return bits + Math.max(1, question.hits) * 2 ** HITS_SHIFT;
}

/** r4 = 1 or 0: the answer, inversion included. */
export function runRecent(ctx: BodyContext, test: RecentTest, { table, map }: NamedMap): void {
  if (table.kind !== 'recent') throw new Error(`${table.name} is not a list`);
  const { out } = ctx;
  loadTtl(ctx);
  out.emit(stx.dw(R10, STACK.key, R1));
  if (ctx.family === 'ipv4') {
    loadField(ctx, test.side === 'source' ? 'ip.saddr' : 'ip.daddr');
    out.emit(mov.imm(R2, 0));
  } else {
    const field = test.side === 'source' ? 'ip6.saddr' : 'ip6.daddr';
    loadHalf(ctx, field, 'low');
    out.emit(mov.reg(R2, R1));
    loadHalf(ctx, field, 'high');
  }
  out.emit(
    ldx.dw(R3, R10, STACK.key),
    mov.imm32(R4, questionWord(test)),
    mov.imm32(R5, recentJiffies(test.question.seconds, ctx.facts.hz)),
    callGlobal(ctx, `recent_${map}`, 5, (own) => emitRecent(own, table, map)),
    mov.reg32(R4, R0),
  );
  releaseScratch(ctx, STACK.key);
}

/** r1 = time to live as it was before forwarding. */
function loadTtl(ctx: BodyContext): void {
  const { out } = ctx;
  loadField(ctx, ctx.family === 'ipv4' ? 'ip.ttl' : 'ip6.hopLimit');
  if (ctx.hook === 'PREROUTING' || ctx.hook === 'INPUT') return;
  out.emit(stx.dw(R10, STACK.key, R1));
  loadField(ctx, 'socket.own');
  out.emit(ldx.dw(R2, R10, STACK.key), add.imm(R2, 1), sub.reg(R2, R1), mov.reg(R1, R2), and.imm(R1, 0xff));
}

/** Frame of the function. */
const FRAME = { high: -8, low: -16, ttl: -24, word: -32, since: -40, iterator: -48, bucket: -56 } as const;
/** An odd number with well mixed bits, for multiplicative hashing. */
const HASH_FACTOR = 0x9e3779b97f4a7c15n;

/** Function recent_X(r1 high, r2 low half of the address, r3 ttl, r4 question, r5 jiffies) -> r0 1 or 0. */
function emitRecent(ctx: HookContext, table: RecentTable, map: string): void {
  const { out } = ctx;
  const [missing, found, done] = ['missing', 'found', 'unlock'].map((hint) => out.label(hint)) as [Label, Label, Label];
  const list: ListContext = { out, table, broken: done };
  enter(ctx, table, map);
  search(ctx, list, { found, missing });
  emitMissing(ctx, list, { missing, done });
  emitFound(ctx, list, { found, missing, done });
  out.emit(at(done));
  leave(ctx);
}

/** Masks the address, keeps the arguments, takes the lock: r6 list, r9 now. */
function enter(ctx: HookContext, table: RecentTable, map: string): void {
  const { out } = ctx;
  maskAddress(ctx, table);
  const later = out.label('later');
  out.emit(
    stx.dw(R10, FRAME.high, R1),
    stx.dw(R10, FRAME.low, R2),
    stx.dw(R10, FRAME.ttl, R3),
    stx.dw(R10, FRAME.word, R4),
    stx.dw(R10, FRAME.since, R5),
    call.helper(HELPER.jiffies),
    mov.reg(R9, R0),
    mov.reg(R1, R10),
    add.imm(R1, FRAME.iterator),
    mov.imm(R2, 0),
    mov.imm(R3, table.entries + 1),
    call.kfunc('bpf_iter_num_new'),
    lddw.mapValue(R6, map),
    mov.reg(R1, R6),
    call.helper(HELPER.spinLock),
    ldx.dw(R1, R6, LIST.now),
    jle.reg(R1, R9, later),
    mov.reg(R9, R1),
    at(later),
    stx.dw(R6, LIST.now, R9),
    mov.imm(R8, 0),
  );
}

const ONES = (1n << 64n) - 1n;

/** IPv4: r1 in host order. IPv6: r1 and r2 as they lie in memory. */
function maskAddress(ctx: HookContext, { mask }: RecentTable): void {
  const { out } = ctx;
  const half = (at: number): bigint => BigInt(`0x${mask.slice(at, at + 16)}`);
  if (ctx.family === 'ipv4') {
    out.emit(and.imm32(R1, Number(half(0) >> 32n)));
    return;
  }
  for (const [register, wanted] of [
    [R1, half(0)],
    [R2, half(16)],
  ] as const) {
    if (wanted !== ONES) out.emit(lddw.imm(R0, swapped(wanted)), and.reg(register, R0));
  }
}

/** The other byte order. */
function swapped(value: bigint): bigint {
  return BigInt(`0x${value.toString(16).padStart(16, '0').match(/../g)!.reverse().join('')}`);
}

/** r7 = the entry of the address: a jump to `found`; falls through to `missing`. */
function search(ctx: HookContext, list: ListContext, { found, missing }: Record<'found' | 'missing', Label>): void {
  const { out } = ctx;
  const [loop, next] = [out.label('chain'), out.label('chained')];
  out.emit(
    ldx.dw(R1, R10, FRAME.high),
    ldx.dw(R2, R10, FRAME.low),
    xor.reg(R1, R2),
    lddw.imm(R2, HASH_FACTOR),
    mul.reg(R1, R2),
    rsh.imm(R1, 64 - bucketBits(list.table)),
    stx.dw(R10, FRAME.bucket, R1),
    lsh.imm(R1, 2),
    add.reg(R1, R6),
    ldx.w(R7, R1, LIST.buckets),
    at(loop),
    mov.reg(R1, R10),
    add.imm(R1, FRAME.iterator),
    call.kfunc('bpf_iter_num_next'),
    jeq.imm(R0, 0, missing),
    jeq.imm(R7, 0, missing),
  );
  pointTo(list, R7);
  out.emit(
    ldx.dw(R1, R7, ENTRY.high),
    ldx.dw(R2, R10, FRAME.high),
    jne.reg(R1, R2, next),
    ldx.dw(R1, R7, ENTRY.low),
    ldx.dw(R2, R10, FRAME.low),
    jne.reg(R1, R2, next),
    ldx.w(R1, R7, ENTRY.family),
    jeq.imm(R1, ENTRY_FAMILY[ctx.family], found),
    at(next),
    ldx.w(R7, R7, ENTRY.chainNext),
    ja(loop),
  );
}

/** r8 = the answer "not", as the question has it: what it is without a hit. */
function notYet(ctx: HookContext): void {
  ctx.out.emit(ldx.dw(R8, R10, FRAME.word), rsh.imm(R8, Math.log2(ASK.invert)), and.imm(R8, 1));
}

/** Only `set` has something to do: a new entry, in place of the oldest if the list is full. */
function emitMissing(ctx: HookContext, list: ListContext, { missing, done }: Record<'missing' | 'done', Label>): void {
  const { out } = ctx;
  const room = out.label('room');
  const { table } = list;
  out.emit(at(missing));
  notYet(ctx);
  out.emit(
    ldx.dw(R1, R10, FRAME.word),
    and.imm(R1, OPERATION.set),
    jeq.imm(R1, 0, done),
    xor.imm(R8, 1),
    ldx.w(R1, R6, LIST.count),
    jlt.imm(R1, table.entries, room),
    ldx.w(R7, R6, LIST.oldest),
  );
  pointTo(list, R7);
  removeEntry(list, 2 ** bucketBits(table) - 1);
  out.emit(at(room));
  takeFree(list);
  out.emit(
    ldx.dw(R1, R10, FRAME.high),
    stx.dw(R7, ENTRY.high, R1),
    ldx.dw(R1, R10, FRAME.low),
    stx.dw(R7, ENTRY.low, R1),
    st.w(R7, ENTRY.family, ENTRY_FAMILY[ctx.family]),
    ldx.dw(R1, R10, FRAME.ttl),
    stx.w(R7, ENTRY.ttl, R1),
    st.w(R7, ENTRY.index, 1),
    st.w(R7, ENTRY.stamps, 1),
    stx.dw(R7, ENTRY.times, R9),
    ldx.dw(R3, R10, FRAME.bucket),
    and.imm(R3, 2 ** bucketBits(table) - 1),
  );
  insertEntry(list);
  out.emit(ja(done));
}

/** The entry is r7. */
function emitFound(
  ctx: HookContext,
  list: ListContext,
  { found, missing, done }: Record<'found' | 'missing' | 'done', Label>,
): void {
  const { out } = ctx;
  const { table } = list;
  const [same, check, store, hit, judged] = ['same', 'check', 'store', 'hit', 'judged'].map((hint) =>
    out.label(hint),
  ) as [Label, Label, Label, Label, Label];
  const times = table.ring - 1;
  out.emit(
    at(found),
    ldx.dw(R1, R10, FRAME.word),
    and.imm(R1, ASK.ttl),
    jeq.imm(R1, 0, same),
    ldx.dw(R1, R10, FRAME.ttl),
    jeq.imm(R1, 0, same),
    ldx.w(R2, R7, ENTRY.ttl),
    jeq.imm(R2, 0, same),
    jne.reg(R1, R2, missing),
    at(same),
  );
  notYet(ctx);
  out.emit(
    ldx.dw(R1, R10, FRAME.word),
    jset.imm(R1, OPERATION.rcheck | OPERATION.update, check),
    xor.imm(R8, 1),
    jset.imm(R1, OPERATION.set, store),
  );
  removeEntry(list, 2 ** bucketBits(table) - 1);
  out.emit(
    ja(done),
    at(check),
    // r5 the first jiffy that counts
    ldx.dw(R2, R10, FRAME.since),
    mov.reg(R5, R9),
    sub.reg(R5, R2),
    mov.reg(R2, R1),
    and.imm(R2, ASK.seconds),
    rsh.imm(R1, HITS_SHIFT),
    ldx.w(R3, R7, ENTRY.stamps),
    jgt.reg(R1, R3, judged),
    jeq.imm(R2, 0, hit),
    ldx.w(R3, R7, ENTRY.index),
    sub.reg(R3, R1),
  );
  loadTime(ctx, R3, R7, times);
  out.emit(jsgt.reg(R5, R3, judged), at(hit), xor.imm(R8, 1), at(judged));
  emitReap(ctx, list, times);
  out.emit(
    ldx.dw(R1, R10, FRAME.word),
    and.imm(R1, OPERATION.update),
    jeq.imm(R1, 0, done),
    jeq.imm(R8, 0, done),
    at(store),
  );
  emitStore(ctx, list, times);
}

/** r3 = the time at the ring's place in r3, of the entry that r1 .. `entry` points to; uses r1. */
function loadTime({ out }: HookContext, place: number, entry: number, mask: number): void {
  out.emit(and.imm(place, mask), lsh.imm(place, 3), add.reg(place, entry), ldx.dw(place, place, ENTRY.times));
}

/** Looks at the oldest entry only, and spares the one in r7 if it is about to be stored again. r5: the first jiffy that counts. */
function emitReap(ctx: HookContext, list: ListContext, times: number): void {
  const { out } = ctx;
  const [done, other] = [out.label('reaped'), out.label('other')];
  out.emit(
    ldx.dw(R1, R10, FRAME.word),
    mov.reg(R2, R1),
    and.imm(R1, ASK.reap),
    jeq.imm(R1, 0, done),
    ldx.w(R1, R6, LIST.oldest),
    jeq.imm(R1, 0, done),
    // Both bits of r2 & r8 set: update that matched.
    and.imm(R2, OPERATION.update),
    jeq.imm(R2, 0, other),
    jeq.imm(R8, 0, other),
    ldx.w(R2, R7, ENTRY.number),
    jeq.reg(R1, R2, done),
    at(other),
  );
  // The entry in r7 is needed afterwards only where it is the one to be stored, which is then not the one to go.
  out.emit(ldx.w(R3, R7, ENTRY.number), stx.dw(R10, FRAME.bucket, R3), mov.reg(R7, R1));
  pointTo(list, R7);
  const keep = out.label('keep');
  out.emit(ldx.w(R3, R7, ENTRY.index), sub.imm(R3, 1));
  loadTime(ctx, R3, R7, times);
  out.emit(jsge.reg(R3, R5, keep));
  removeEntry(list, 2 ** bucketBits(list.table) - 1);
  out.emit(at(keep), ldx.dw(R7, R10, FRAME.bucket));
  pointTo(list, R7);
  out.emit(at(done));
}

/** recent_entry_update */
function emitStore(ctx: HookContext, list: ListContext, times: number): void {
  const { out } = ctx;
  const full = out.label('full');
  out.emit(
    ldx.w(R1, R7, ENTRY.index),
    and.imm(R1, times),
    mov.reg(R2, R1),
    lsh.imm(R2, 3),
    add.reg(R2, R7),
    stx.dw(R2, ENTRY.times, R9),
    add.imm(R1, 1),
    stx.w(R7, ENTRY.index, R1),
    ldx.w(R2, R7, ENTRY.stamps),
    jle.reg(R1, R2, full),
    stx.w(R7, ENTRY.stamps, R1),
    at(full),
    ldx.dw(R1, R10, FRAME.ttl),
    stx.w(R7, ENTRY.ttl, R1),
  );
  moveLast(list);
}

/** Gives the lock back and returns r8. */
function leave({ out }: HookContext): void {
  out.emit(
    mov.reg(R1, R6),
    call.helper(HELPER.spinUnlock),
    mov.reg(R1, R10),
    add.imm(R1, FRAME.iterator),
    call.kfunc('bpf_iter_num_destroy'),
    mov.reg(R0, R8),
    and.imm(R0, 1),
    exit(),
  );
}
