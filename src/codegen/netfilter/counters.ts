/**
 * Packet and byte counters: two u64 for each rule and policy, one stride of them per CPU.
 *
 * Where a program is alone on its CPU (hooks that only softirqs run) it counts with plain loads and stores. OUTPUT and
 * POSTROUTING also run in process context: there a packet of an interrupt can come in between, and the task can even move to
 * another CPU while it counts on this one. So a chain that those hooks can reach is counted with one atomic instruction for
 * each addition, in every program that runs it; on PREEMPT_RT every chain is.
 */

import { add, atomic, ldx, mov, stx } from '../../bpf/assembly.ts';
import { R1, R2, R3, R10 } from '../../bpf/instruction.ts';
import { loadNotedLength } from '../device/notes.ts';
import { noteCounter } from '../xdp/notes.ts';
import { type HookContext, loadMember, loadSkb } from './context.ts';
import { COUNTERS, STACK } from './layout.ts';

/** Bytes of one counter. */
export const COUNTER_BYTES = 16;
/** The largest offset that fits into both instructions of a counter. */
const MAX_OFFSET = 0x7fff - 8;

/** Byte offset of a counter of the table from r9. */
export function counterOffset(ctx: HookContext, counter: number): number {
  return (ctx.firstCounter + counter) * COUNTER_BYTES;
}

/** How additions are made. */
export type Addition = 'plain' | 'atomic';

export function additionFor(ctx: HookContext, chain: number): Addition {
  return ctx.atomicChains.has(chain) ? 'atomic' : 'plain';
}

/** Adds one packet and its bytes to a counter. Uses r1..r3. */
export function count(ctx: HookContext, counter: number, addition: Addition): void {
  const offset = counterOffset(ctx, counter);
  if (ctx.early !== undefined) {
    ctx.out.emit(mov.imm(R1, offset), ...noteCounter(ctx.early.full));
    return;
  }
  if (offset <= MAX_OFFSET) addPacket(ctx, COUNTERS, offset, addition);
  else {
    ctx.out.emit(mov.reg(R3, COUNTERS), add.imm(R3, offset));
    addPacket(ctx, R3, 0, addition);
  }
}

/** The same at `base + offset`. */
export function addPacket(ctx: HookContext, base: number, offset: number, addition: Addition): void {
  const { out } = ctx;
  const atomically = addition === 'atomic';
  if (atomically) out.emit(mov.imm(R1, 1), atomic.add.dw(base, offset, R1));
  else out.emit(ldx.dw(R1, base, offset), add.imm(R1, 1), stx.dw(base, offset, R1));
  if (ctx.device !== undefined) out.emit(loadNotedLength(R2));
  else out.emit(loadSkb(ctx, R2), loadMember(ctx, R2, R2, 'sk_buff.len'));
  if (ctx.lengthens) out.emit(ldx.w(R1, R10, STACK.longer), add.reg(R2, R1));
  if (atomically) out.emit(atomic.add.dw(base, offset + 8, R2));
  else out.emit(ldx.dw(R1, base, offset + 8), add.reg(R1, R2), stx.dw(base, offset + 8, R1));
}
