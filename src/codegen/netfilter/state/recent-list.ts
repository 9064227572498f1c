/** Operations on the list of recent-layout.ts, under its lock: r6 points to the list, r7 to an entry; r1..r5 are used. */

import { add, and, at, ja, jeq, jge, ldx, lsh, mov, mul, st, stx, sub } from '../../../bpf/assembly.ts';
import type { Label } from '../../../bpf/code.ts';
import { R1, R2, R3, R4, R6, R7 } from '../../../bpf/instruction.ts';
import type { NamedTable } from '../../../policy/named.ts';
import type { Emitter } from '../emitter.ts';
import { ENTRY, entriesAt, entryBytes, LIST } from './recent-layout.ts';

export type RecentTable = NamedTable & { readonly kind: 'recent' };

export interface ListContext {
  readonly out: Emitter;
  readonly table: RecentTable;
  /** Where a link leads that is no entry's number. It cannot happen; the verifier wants to see it checked. */
  readonly broken: Label;
}

/** register = the entry with the number in it, which is not 0. */
export function pointTo({ out, table, broken }: ListContext, register: number): void {
  out.emit(
    sub.imm(register, 1),
    jge.imm(register, table.entries, broken),
    mul.imm(register, entryBytes(table)),
    add.imm(register, entriesAt(table)),
    add.reg(register, R6),
  );
}

/** The entry with the number in `register` gets the number in r1 at `offset`; without such an entry the list itself does, at `end`. */
function link(ctx: ListContext, register: number, offset: number, end: () => void): void {
  const { out } = ctx;
  const [none, done] = [out.label('end'), out.label('linked')];
  out.emit(jeq.imm(register, 0, none));
  pointTo(ctx, register);
  out.emit(stx.w(register, offset, R1), ja(done), at(none));
  end();
  out.emit(at(done));
}

/** r2 = place of the bucket in r3, which is below 2 ** bucketBits. */
function pointToBucket({ out }: ListContext): void {
  out.emit(lsh.imm(R3, 2), mov.reg(R2, R6), add.reg(R2, R3));
}

/** Takes the entry r7 out of the order of storing. */
function takeFromOrder(ctx: ListContext): void {
  const { out } = ctx;
  out.emit(ldx.w(R1, R7, ENTRY.newer), ldx.w(R2, R7, ENTRY.older));
  link(ctx, R2, ENTRY.newer, () => out.emit(stx.w(R6, LIST.oldest, R1)));
  out.emit(ldx.w(R1, R7, ENTRY.older), ldx.w(R2, R7, ENTRY.newer));
  link(ctx, R2, ENTRY.older, () => out.emit(stx.w(R6, LIST.newest, R1)));
}

/** Puts the entry r7 at the end of the order of storing. */
function putLast(ctx: ListContext): void {
  const { out } = ctx;
  out.emit(
    ldx.w(R2, R6, LIST.newest),
    stx.w(R7, ENTRY.older, R2),
    st.w(R7, ENTRY.newer, 0),
    ldx.w(R1, R7, ENTRY.number),
    stx.w(R6, LIST.newest, R1),
  );
  link(ctx, R2, ENTRY.newer, () => out.emit(stx.w(R6, LIST.oldest, R1)));
}

export function moveLast(ctx: ListContext): void {
  takeFromOrder(ctx);
  putLast(ctx);
}

/** Removes the entry r7. `bucketMask`: all ones for bucket numbers. */
export function removeEntry(ctx: ListContext, bucketMask: number): void {
  const { out } = ctx;
  takeFromOrder(ctx);
  out.emit(ldx.w(R1, R7, ENTRY.chainNext), ldx.w(R4, R7, ENTRY.chainPrevious));
  link(ctx, R4, ENTRY.chainNext, () => {
    out.emit(ldx.w(R3, R7, ENTRY.bucket), and.imm(R3, bucketMask));
    pointToBucket(ctx);
    out.emit(stx.w(R2, LIST.buckets, R1));
  });
  const last = out.label('last');
  out.emit(ldx.w(R4, R7, ENTRY.chainPrevious), jeq.imm(R1, 0, last));
  pointTo(ctx, R1);
  out.emit(
    stx.w(R1, ENTRY.chainPrevious, R4),
    at(last),
    ldx.w(R1, R6, LIST.free),
    stx.w(R7, ENTRY.chainNext, R1),
    ldx.w(R1, R7, ENTRY.number),
    stx.w(R6, LIST.free, R1),
    ldx.w(R1, R6, LIST.count),
    sub.imm(R1, 1),
    stx.w(R6, LIST.count, R1),
  );
}

/** r7 = an entry that was free; there must be one. */
export function takeFree(ctx: ListContext): void {
  const { out } = ctx;
  const [fresh, done] = [out.label('fresh'), out.label('taken')];
  out.emit(ldx.w(R7, R6, LIST.free), mov.reg(R1, R7), jeq.imm(R7, 0, fresh));
  pointTo(ctx, R7);
  out.emit(ldx.w(R2, R7, ENTRY.chainNext), stx.w(R6, LIST.free, R2), ja(done));
  out.emit(at(fresh), ldx.w(R7, R6, LIST.used), add.imm(R7, 1), mov.reg(R1, R7));
  pointTo(ctx, R7);
  out.emit(stx.w(R6, LIST.used, R1), at(done), stx.w(R7, ENTRY.number, R1));
}

/** Puts the new entry r7 into the bucket in r3, which is below 2 ** bucketBits, and at the end of the order. */
export function insertEntry(ctx: ListContext): void {
  const { out } = ctx;
  const first = out.label('first');
  out.emit(stx.w(R7, ENTRY.bucket, R3));
  pointToBucket(ctx);
  out.emit(
    ldx.w(R4, R2, LIST.buckets),
    ldx.w(R1, R7, ENTRY.number),
    stx.w(R2, LIST.buckets, R1),
    stx.w(R7, ENTRY.chainNext, R4),
    st.w(R7, ENTRY.chainPrevious, 0),
    jeq.imm(R4, 0, first),
  );
  pointTo(ctx, R4);
  out.emit(
    stx.w(R4, ENTRY.chainPrevious, R1),
    at(first),
    ldx.w(R1, R6, LIST.count),
    add.imm(R1, 1),
    stx.w(R6, LIST.count, R1),
  );
  putLast(ctx);
}
