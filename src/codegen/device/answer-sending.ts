/** An answer that has been put together becomes the frame, and goes back. */

import { add, at, call, exit, ja, jeq, jgt, jlt, jne, jsgt, ldx, mov, sub } from '../../bpf/assembly.ts';
import type { CodeItem, Label } from '../../bpf/code.ts';
import { R0, R1, R2, R3, R4, R5, R7, R8, R10 } from '../../bpf/instruction.ts';
import type { DeviceKind } from '../../device/hook.ts';
import type { HookContext } from '../netfilter/context.ts';
import { COUNTERS, CTX, STACK } from '../netfilter/layout.ts';
import { MOST_FRAME_HEADER, PLACE } from './answer-layout.ts';
import { NOTES, SK_BUFF_MD } from './notes.ts';

const HELPERS = {
  skbStore: 9,
  redirect: 23,
  changeTail: 38,
  adjustHead: 44,
  adjustRoom: 50,
  adjustTail: 65,
  frameLength: 188,
  xdpStore: 190,
} as const;
const XDP_TX = 3;
const BPF_F_INGRESS = 1;
const BPF_ADJ_ROOM_MAC = 1;
/** The longest IPv6 answer. */
const MOST_PACKET = 1280;
/** More than the transport's checksum lies behind its header's beginning. */
const CHECKSUM_ROOM = 40;

/** In front: the answer at r7, its length noted. Ends the program, or goes to `drop`. */
export function emitSending(ctx: HookContext, kind: DeviceKind, drop: Label): void {
  const { out } = ctx;
  // r8: length of the frame to be.
  out.emit(ldx.w(R8, COUNTERS, NOTES.answer), ldx.w(R1, COUNTERS, NOTES.place), add.reg(R8, R1));
  if (kind === 'xdp') {
    const [cut, sized] = [out.label('cut'), out.label('sized')];
    out.emit(
      mov.reg(R1, CTX),
      call.helper(HELPERS.frameLength),
      mov.reg(R1, CTX),
      mov.reg(R2, R0),
      sub.reg(R2, R8),
      // There is always room in front of a frame, but not behind it.
      jsgt.imm(R2, 0, cut),
      call.helper(HELPERS.adjustHead),
      ja(sized),
      at(cut),
      mov.imm(R3, 0),
      sub.reg(R3, R2),
      mov.reg(R2, R3),
      call.helper(HELPERS.adjustTail),
      at(sized),
      jne.imm(R0, 0, drop),
    );
  } else {
    out.emit(...withoutChecksumOffload(drop), mov.reg(R2, R8), ...changeTail(drop));
  }
  const bare = out.label('bare');
  out.emit(ldx.w(R4, COUNTERS, NOTES.place), jeq.imm(R4, 0, bare));
  out.emit(jgt.imm(R4, MOST_FRAME_HEADER, drop), mov.imm(R2, 0), mov.reg(R3, R7), ...store(kind, drop), at(bare));
  out.emit(
    ldx.w(R4, COUNTERS, NOTES.answer),
    jlt.imm(R4, 1, drop),
    jgt.imm(R4, MOST_PACKET, drop),
    ldx.w(R2, COUNTERS, NOTES.place),
    mov.reg(R3, R7),
    add.imm(R3, PLACE.packet),
    ...store(kind, drop),
  );
  if (kind === 'xdp') out.emit(mov.imm(R0, XDP_TX), exit());
  else {
    // What came in goes out, what would have gone out comes in.
    out.emit(
      ldx.w(R1, CTX, SK_BUFF_MD.ifindex),
      mov.imm(R2, kind === 'tc-egress' ? BPF_F_INGRESS : 0),
      call.helper(HELPERS.redirect),
      exit(),
    );
  }
}

function store(kind: DeviceKind, drop: Label): readonly CodeItem[] {
  return [
    mov.reg(R1, CTX),
    mov.imm(R5, 0),
    call.helper(kind === 'xdp' ? HELPERS.xdpStore : HELPERS.skbStore),
    jne.imm(R0, 0, drop),
  ];
}

/** The packet buffer gets r2 bytes. */
function changeTail(drop: Label): readonly CodeItem[] {
  return [mov.reg(R1, CTX), mov.imm(R3, 0), call.helper(HELPERS.changeTail), jne.imm(R0, 0, drop)];
}

/**
 * A checksum that is still to be completed by the device (CHECKSUM_PARTIAL) would be written into the answer. The kernel forgets about it
 * when the place where it begins is taken out of the packet: so the buffer is grown until there is enough to take out, and that is taken
 * out in front. What lay there has been copied.
 */
function withoutChecksumOffload(drop: Label): readonly CodeItem[] {
  return [
    ldx.w(R2, R10, STACK.transportOffset),
    ldx.w(R1, COUNTERS, NOTES.place),
    add.reg(R2, R1),
    add.reg(R2, R1),
    add.imm(R2, 2 * CHECKSUM_ROOM + 40),
    ...changeTail(drop),
    ldx.w(R2, R10, STACK.transportOffset),
    ldx.w(R1, COUNTERS, NOTES.place),
    add.reg(R2, R1),
    add.imm(R2, CHECKSUM_ROOM),
    mov.imm(R1, 0),
    sub.reg(R1, R2),
    mov.reg(R2, R1),
    mov.reg(R1, CTX),
    mov.imm(R3, BPF_ADJ_ROOM_MAC),
    mov.imm(R4, 0),
    call.helper(HELPERS.adjustRoom),
    jne.imm(R0, 0, drop),
  ];
}
