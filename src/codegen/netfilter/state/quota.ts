/** quota: u64 bytes left, changed by compare-and-exchange. */

import { add, at, atomic, exit, jeq, jge, jlt, jne, lddw, ldx, lsh, mov, rsh, sub } from '../../../bpf/assembly.ts';
import type { CodeItem } from '../../../bpf/code.ts';
import { R0, R1, R2, R3, R4, R5, R6 } from '../../../bpf/instruction.ts';
import { MAP_NAMES } from '../../compiled.ts';
import { type BodyContext, callGlobal, type HookContext } from '../context.ts';
import { loadField } from '../fields.ts';

/** How often the exchange is tried: it fails only when another CPU came between two instructions. */
const TRIES = 64;

/** r4 = 1 if the quota suffices for the packet, else 0 and nothing is left. `place`: r1 = its byte offset in the state map, using r3. */
export function runQuota(ctx: BodyContext, place: readonly CodeItem[]): void {
  loadField(ctx, 'meta.length');
  ctx.out.emit(mov.reg32(R2, R1), ...place, rsh.imm(R1, 3), callGlobal(ctx, 'quota', 2, emitQuota), mov.reg32(R4, R0));
}

/** Function quota(r1 eighth of the place in the state map, r2 length) -> r0 1 or 0: quota_mt. */
function emitQuota({ out, stateBytes }: HookContext): void {
  const [again, store, done] = [out.label('again'), out.label('store'), out.label('done')];
  out.emit(
    mov.imm(R4, 0),
    // Never so; it gives the verifier the bound of the place.
    jge.imm(R1, stateBytes / 8, done),
    lsh.imm(R1, 3),
    lddw.mapValue(R3, MAP_NAMES.states),
    add.reg(R1, R3),
    mov.imm(R5, TRIES),
    at(again),
    ldx.dw(R0, R1, 0),
    mov.reg(R6, R0),
    mov.imm(R3, 0),
    mov.imm(R4, 0),
    jlt.reg(R0, R2, store),
    mov.reg(R3, R0),
    sub.reg(R3, R2),
    mov.imm(R4, 1),
    at(store),
    atomic.cmpxchg.dw(R1, 0, R3),
    jeq.reg(R0, R6, done),
    sub.imm(R5, 1),
    jne.imm(R5, 0, again),
    mov.imm(R4, 0),
    at(done),
    mov.reg(R0, R4),
    exit(),
  );
}
