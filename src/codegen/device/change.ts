/** Changes of the packet at TC: in the packet buffer, and in the copy of its header that later rules read. */

import {
  add,
  and,
  at,
  call,
  endian,
  jeq,
  jge,
  jle,
  jne,
  ldx,
  lsh,
  mov,
  or,
  rsh,
  st,
  stx,
  sub,
  xor,
} from '../../bpf/assembly.ts';
import type { Label } from '../../bpf/code.ts';
import { R0, R1, R2, R3, R4, R5 } from '../../bpf/instruction.ts';
import { type PacketChange, packetChange } from '../../device/changes.ts';
import type { Effect } from '../../policy/effect.ts';
import type { HookContext } from '../netfilter/context.ts';
import { COUNTERS, CTX } from '../netfilter/layout.ts';
import { NOTES, SK_BUFF_MD } from './notes.ts';

const STORE_BYTES = 9;
const CSUM_DIFF = 28;
/** Keeps a checksum that a device has computed right. */
const BPF_F_RECOMPUTE_CSUM = 1;
/** Where the bytes that change lie in the header, and how much is written back. */
const WRITTEN = { ipv4: 12, ipv6: 8 } as const;

/** Carries an effect out. `failed`: the packet cannot be written to. Uses r0..r5. */
export function emitPacketChange(ctx: HookContext, effect: Effect, failed: Label): void {
  const change = packetChange(effect);
  if (change === undefined) throw new Error(`${effect.target.join(' ')} is not carried out by programs on devices`);
  if (change.kind === 'mark') changeMark(ctx, change);
  else changeHeader(ctx, change, failed);
}

function changeMark({ out }: HookContext, { mask, value }: Extract<PacketChange, { kind: 'mark' }>): void {
  out.emit(ldx.w(R1, CTX, SK_BUFF_MD.mark), and.imm32(R1, ~mask), xor.imm32(R1, value | 0));
  out.emit(stx.w(CTX, SK_BUFF_MD.mark, R1));
}

function changeHeader(ctx: HookContext, change: Exclude<PacketChange, { kind: 'mark' }>, failed: Label): void {
  const { out, family } = ctx;
  const same = out.label('same');
  const header = NOTES.header;
  // r1 old, r2 new value
  if (change.kind === 'hops') {
    const place = header + (family === 'ipv4' ? 8 : 7);
    out.emit(ldx.b(R1, COUNTERS, place), mov.reg(R2, R1));
    changeHops(ctx, change);
    out.emit(jeq.reg(R1, R2, same), stx.b(COUNTERS, place, R2));
  } else if (family === 'ipv4') {
    out.emit(
      ldx.b(R1, COUNTERS, header + 1),
      mov.reg(R2, R1),
      and.imm(R2, ~change.mask & 0xff),
      xor.imm(R2, change.value),
    );
    out.emit(jeq.reg(R1, R2, same), stx.b(COUNTERS, header + 1, R2));
  } else {
    // Four bits of version, then the traffic class.
    out.emit(
      ldx.h(R1, COUNTERS, header),
      endian.toBe(16, R1),
      mov.reg(R3, R1),
      rsh.imm(R1, 4),
      and.imm(R1, 0xff),
      mov.reg(R2, R1),
      and.imm(R2, ~change.mask & 0xff),
      xor.imm(R2, change.value),
      jeq.reg(R1, R2, same),
      and.imm(R3, 0xf00f),
      lsh.imm(R2, 4),
      or.reg(R3, R2),
      endian.toBe(16, R3),
      stx.h(COUNTERS, header, R3),
    );
  }
  if (family === 'ipv4') renewChecksum(ctx);
  out.emit(
    mov.reg(R1, CTX),
    ldx.w(R2, COUNTERS, NOTES.place),
    mov.reg(R3, COUNTERS),
    add.imm(R3, header),
    mov.imm(R4, WRITTEN[family]),
    mov.imm(R5, BPF_F_RECOMPUTE_CSUM),
    call.helper(STORE_BYTES),
    jne.imm(R0, 0, failed),
    at(same),
  );
}

/** r2 = the new value from the old one in it. */
function changeHops({ out }: HookContext, { how, value }: Extract<PacketChange, { kind: 'hops' }>): void {
  const end = out.label('end');
  switch (how) {
    case 'set':
      out.emit(mov.imm(R2, value));
      return;
    case 'inc':
      out.emit(add.imm(R2, value), jle.imm(R2, 255, end), mov.imm(R2, 255), at(end));
      return;
    case 'dec': {
      const floor = out.label('floor');
      out.emit(jge.imm(R2, value, floor), mov.imm(R2, value), at(floor), sub.imm(R2, value));
      return;
    }
  }
}

/** The checksum of the copied header. */
function renewChecksum({ out }: HookContext): void {
  const header = NOTES.header;
  out.emit(
    st.h(COUNTERS, header + 10, 0),
    ldx.b(R4, COUNTERS, header),
    and.imm(R4, 0x0f),
    lsh.imm(R4, 2),
    mov.imm(R1, 0),
    mov.imm(R2, 0),
    mov.reg(R3, COUNTERS),
    add.imm(R3, header),
    mov.imm(R5, 0),
    call.helper(CSUM_DIFF),
  );
  for (let fold = 0; fold < 2; fold++)
    out.emit(mov.reg32(R1, R0), rsh.imm(R1, 16), and.imm(R0, 0xffff), add.reg(R0, R1));
  out.emit(xor.imm(R0, 0xffff), stx.h(COUNTERS, header + 10, R0));
}
