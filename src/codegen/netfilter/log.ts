/** LOG and NFLOG: one block that puts an event (event.ts) into the ring buffer. Losses are counted, never waited for. */

import { add, at, atomic, call, ja, jeq, jle, jne, jsgt, lddw, ldx, mov, st, stx, sub } from '../../bpf/assembly.ts';
import { R0, R1, R2, R3, R4, R5, R7, R8, R9, R10 } from '../../bpf/instruction.ts';
import { NF_INET_HOOK } from '../../packet/netfilter.ts';
import { MAP_NAMES } from '../compiled.ts';
import { castTo, loadSkbPointer, loadStatePointer } from './cast.ts';
import { type BodyContext, type HookContext, loadMember, loadSkb, memberPlace } from './context.ts';
import { EVENT_BYTES, EVENT_FIELDS, EVENT_FLAGS, EVENT_MAC_BYTES, EVENT_PACKET_BYTES } from './event.ts';
import { castCredentials, loadSocketFile } from './fields/socket.ts';
import { HELPER, STACK } from './layout.ts';
import { LOG_RECORD_BYTES } from './log-record.ts';

/** The log map: number of lost events (u64), then one record for each LOG or NFLOG rule. */
export const LOG_MAP = { lost: 0, records: 8 } as const;

const [RULE, EVENT, LENGTH] = [R7, R8, R9];
/** What the block uses and gives back. */
const SAVED = [R7, R8, R9] as const;
const F = EVENT_FIELDS;

/** Says which rule logs; the block is entered by a jump, since a call of a function would cost the verifier the whole program. */
export function storeLogRecord(ctx: BodyContext, counter: number): void {
  const offset = ctx.logOffsets.get(counter);
  if (offset === undefined) throw new Error(`rule with counter ${counter} has no log record`);
  ctx.out.emit(st.w(R10, STACK.logRecord, offset));
}

/** The same for the record at the place in r1. */
export function storeLogPlace(ctx: BodyContext): void {
  ctx.out.emit(stx.w(R10, STACK.logRecord, R1));
}

/** The block that all LOG and NFLOG rules of a copy share; what follows it finds r6..r9 as they were. */
export function emitLog(ctx: BodyContext): void {
  const { out } = ctx;
  const [lost, done] = [out.label('lost'), out.label('logged')];
  const last = Math.max(...ctx.logOffsets.values());
  SAVED.forEach((register, index) => {
    out.emit(stx.dw(R10, STACK.saved[index]!, register));
  });
  out.emit(
    lddw.map(R1, MAP_NAMES.events),
    mov.imm(R2, EVENT_BYTES),
    mov.imm(R3, 0),
    call.helper(HELPER.ringbufReserve),
    jeq.imm(R0, 0, lost),
    mov.reg(EVENT, R0),
    ldx.w(R1, R10, STACK.logRecord),
    // Never true; it gives the verifier the bound of the place.
    jle.imm(R1, last, `${done}.bounded`),
    mov.imm(R1, last),
    at(`${done}.bounded`),
    lddw.mapValue(RULE, MAP_NAMES.logs),
    add.reg(RULE, R1),
  );
  for (let at = 0; at < LOG_RECORD_BYTES; at += 8) {
    out.emit(ldx.dw(R1, RULE, at), stx.dw(EVENT, F.rule.offset + at, R1));
  }
  out.emit(call.helper(HELPER.ktime), stx.dw(EVENT, F.time.offset, R0));
  out.emit(
    loadSkb(ctx, R1),
    loadMember(ctx, R2, R1, 'sk_buff.len'),
    stx.w(EVENT, F.length.offset, R2),
    ctx.simulatesMarks ? ldx.w(R2, R10, STACK.mark) : loadMember(ctx, R2, R1, 'sk_buff.mark'),
    stx.w(EVENT, F.mark.offset, R2),
    st.b(EVENT, F.hook.offset, NF_INET_HOOK[ctx.hook]),
    st.b(EVENT, F.hook.offset + 3, 0),
    st.b(EVENT, F.flags.offset, 0),
  );
  putDeviceName(ctx, 'in', F.inDevice.offset);
  putDeviceName(ctx, 'out', F.outDevice.offset);
  putLink(ctx);
  putOwner(ctx);
  putPacket(ctx);
  out.emit(
    mov.reg(R1, EVENT),
    mov.imm(R2, 0),
    call.helper(HELPER.ringbufSubmit),
    ja(done),
    at(lost),
    lddw.mapValue(R1, MAP_NAMES.logs, LOG_MAP.lost),
    mov.imm(R2, 1),
    atomic.add.dw(R1, 0, R2),
    at(done),
  );
  SAVED.forEach((register, index) => {
    out.emit(ldx.dw(register, R10, STACK.saved[index]!));
  });
}

function setFlag(ctx: HookContext, flag: number): void {
  ctx.out.emit(ldx.b(R1, EVENT, F.flags.offset), add.imm(R1, flag), stx.b(EVENT, F.flags.offset, R1));
}

function putDeviceName(ctx: HookContext, which: 'in' | 'out', offset: number): void {
  const name = memberPlace(ctx.facts, 'net_device.name').offset;
  loadStatePointer(ctx, `nf_hook_state.${which}`);
  castTo(ctx, 'net_device');
  for (const part of [0, 8]) ctx.out.emit(ldx.dw(R1, R0, name + part), stx.dw(EVENT, offset + part, R1));
}

/** With an input device: type and header of skb->dev, as many bytes as the device's headers have (dump_mac_header). */
function putLink(ctx: HookContext): void {
  const { out } = ctx;
  const [done, short] = [out.label('linkdone'), out.label('short')];
  out.emit(st.h(EVENT, F.linkType.offset, 0), st.b(EVENT, F.macLength.offset, 0));
  loadStatePointer(ctx, 'nf_hook_state.in');
  out.emit(jeq.imm(R1, 0, done));
  setFlag(ctx, EVENT_FLAGS.inDevice);
  loadSkbPointer(ctx, 'sk_buff.dev');
  castTo(ctx, 'net_device');
  out.emit(
    loadMember(ctx, R1, R0, 'net_device.type'),
    stx.h(EVENT, F.linkType.offset, R1),
    loadMember(ctx, LENGTH, R0, 'net_device.hard_header_len'),
    loadSkb(ctx, R1),
    loadMember(ctx, R3, R1, 'sk_buff.head'),
    loadMember(ctx, R2, R1, 'sk_buff.mac_header'),
    add.reg(R3, R2),
    // Nothing lies between a header that does not exist, or is not set (0xffff), and the data.
    loadMember(ctx, R2, R1, 'sk_buff.data'),
    sub.reg(R2, R3),
    jeq.imm(R2, 0, done),
    jsgt.imm(R2, MAX_LINK_DISTANCE, done),
    jle.imm(LENGTH, EVENT_MAC_BYTES, short),
    mov.imm(LENGTH, EVENT_MAC_BYTES),
    at(short),
    stx.b(EVENT, F.macLength.offset, LENGTH),
    mov.reg(R1, EVENT),
    add.imm(R1, F.mac.offset),
    mov.reg(R2, LENGTH),
    call.helper(HELPER.probeReadKernel),
    at(done),
  );
}

const MAX_LINK_DISTANCE = 0xffff;

/** uid and gid of a full socket of this namespace with a file (nf_log_dump_sk_uid_gid). */
function putOwner(ctx: HookContext): void {
  const { out } = ctx;
  const done = out.label('noowner');
  loadSocketFile(ctx, 'none', done);
  out.emit(jeq.imm(R1, 0, done));
  castCredentials(ctx);
  out.emit(
    loadMember(ctx, R1, R0, 'cred.fsuid'),
    stx.w(EVENT, F.uid.offset, R1),
    loadMember(ctx, R1, R0, 'cred.fsgid'),
    stx.w(EVENT, F.gid.offset, R1),
  );
  setFlag(ctx, EVENT_FLAGS.owner);
  out.emit(at(done));
}

/** The packet's first bytes. */
function putPacket(ctx: HookContext): void {
  const { out } = ctx;
  const [short, failed, done] = [out.label('short'), out.label('failed'), out.label('captured')];
  out.emit(
    loadSkb(ctx, R1),
    mov.imm(R2, 0),
    mov.reg(R3, R10),
    add.imm(R3, STACK.dynptr),
    call.kfunc('bpf_dynptr_from_skb'),
    loadSkb(ctx, R1),
    loadMember(ctx, LENGTH, R1, 'sk_buff.len'),
    jle.imm(LENGTH, EVENT_PACKET_BYTES, short),
    mov.imm(LENGTH, EVENT_PACKET_BYTES),
    at(short),
    mov.reg(R1, EVENT),
    add.imm(R1, F.packet.offset),
    mov.reg(R2, LENGTH),
    mov.reg(R3, R10),
    add.imm(R3, STACK.dynptr),
    mov.imm(R4, 0),
    mov.imm(R5, 0),
    call.helper(HELPER.dynptrRead),
    jne.imm(R0, 0, failed),
    stx.h(EVENT, F.captured.offset, LENGTH),
    ja(done),
    at(failed),
    st.h(EVENT, F.captured.offset, 0),
    at(done),
  );
}
