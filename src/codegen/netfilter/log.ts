/** LOG and NFLOG: one function that puts an event (event.ts) into the ring buffer. Losses are counted, never waited for. */

import {
  add,
  at,
  atomic,
  call,
  exit,
  ja,
  jeq,
  jle,
  jne,
  jsgt,
  lddw,
  ldx,
  mov,
  st,
  stx,
  sub,
} from '../../bpf/assembly.ts';
import { R0, R1, R2, R3, R4, R5, R6, R7, R8, R9, R10 } from '../../bpf/instruction.ts';
import { NF_INET_HOOK } from '../../packet/netfilter.ts';
import { MAP_NAMES } from '../compiled.ts';
import { castTo } from './cast.ts';
import { type BodyContext, type HookContext, loadMember, loadSkb, loadState, memberPlace } from './context.ts';
import { EVENT_BYTES, EVENT_FIELDS, EVENT_FLAGS, EVENT_MAC_BYTES, EVENT_PACKET_BYTES } from './event.ts';
import { CTX, HELPER } from './layout.ts';
import { LOG_RECORD_BYTES } from './log-record.ts';

/** The log map: number of lost events (u64), then one record for each LOG or NFLOG rule. */
export const LOG_MAP = { lost: 0, records: 8 } as const;

/** Frame of the function. */
const FRAME = { dynptr: -16 } as const;
const [EVENT, RULE] = [R8, R7];
const F = EVENT_FIELDS;

/** Calls the function for the rule with this counter. */
export function emitLogCall(ctx: BodyContext, counter: number): void {
  const offset = ctx.logOffsets.get(counter);
  if (offset === undefined) throw new Error(`rule with counter ${counter} has no log record`);
  ctx.functions.add('log');
  ctx.out.emit(mov.reg(R1, CTX), lddw.mapValue(R2, MAP_NAMES.logs, offset), call.local('log'));
}

/** Function log(r1 context, r2 record of the rule). */
export function emitLog(ctx: HookContext): void {
  const { out } = ctx;
  const lost = out.label('lost');
  out.emit(
    mov.reg(R6, R1),
    mov.reg(RULE, R2),
    lddw.map(R1, MAP_NAMES.events),
    mov.imm(R2, EVENT_BYTES),
    mov.imm(R3, 0),
    call.helper(HELPER.ringbufReserve),
    jeq.imm(R0, 0, lost),
    mov.reg(EVENT, R0),
  );
  for (let at = 0; at < LOG_RECORD_BYTES; at += 8) {
    out.emit(ldx.dw(R1, RULE, at), stx.dw(EVENT, F.rule.offset + at, R1));
  }
  out.emit(call.helper(HELPER.ktime), stx.dw(EVENT, F.time.offset, R0));
  out.emit(
    loadSkb(ctx, R1),
    loadMember(ctx, R2, R1, 'sk_buff.len'),
    stx.w(EVENT, F.length.offset, R2),
    loadMember(ctx, R2, R1, 'sk_buff.mark'),
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
    mov.imm(R0, 0),
    exit(),
    at(lost),
    lddw.mapValue(R1, MAP_NAMES.logs, LOG_MAP.lost),
    mov.imm(R2, 1),
    atomic.add.dw(R1, 0, R2),
    mov.imm(R0, 0),
    exit(),
  );
}

function setFlag(ctx: HookContext, flag: number): void {
  ctx.out.emit(ldx.b(R1, EVENT, F.flags.offset), add.imm(R1, flag), stx.b(EVENT, F.flags.offset, R1));
}

function putDeviceName(ctx: HookContext, which: 'in' | 'out', offset: number): void {
  const name = memberPlace(ctx.facts, 'net_device.name').offset;
  ctx.out.emit(loadState(ctx, R1), loadMember(ctx, R1, R1, `nf_hook_state.${which}`));
  castTo(ctx, 'net_device');
  for (const part of [0, 8]) ctx.out.emit(ldx.dw(R1, R0, name + part), stx.dw(EVENT, offset + part, R1));
}

/** With an input device: type and header of skb->dev, as many bytes as the device's headers have (dump_mac_header). */
function putLink(ctx: HookContext): void {
  const { out } = ctx;
  const [done, short] = [out.label('linkdone'), out.label('short')];
  out.emit(
    st.h(EVENT, F.linkType.offset, 0),
    st.b(EVENT, F.macLength.offset, 0),
    loadState(ctx, R1),
    loadMember(ctx, R1, R1, 'nf_hook_state.in'),
    jeq.imm(R1, 0, done),
  );
  setFlag(ctx, EVENT_FLAGS.inDevice);
  out.emit(loadSkb(ctx, R1), loadMember(ctx, R1, R1, 'sk_buff.dev'));
  castTo(ctx, 'net_device');
  out.emit(
    loadMember(ctx, R1, R0, 'net_device.type'),
    stx.h(EVENT, F.linkType.offset, R1),
    loadMember(ctx, R9, R0, 'net_device.hard_header_len'),
    loadSkb(ctx, R1),
    loadMember(ctx, R3, R1, 'sk_buff.head'),
    loadMember(ctx, R2, R1, 'sk_buff.mac_header'),
    add.reg(R3, R2),
    // Nothing lies between a header that does not exist, or is not set (0xffff), and the data.
    loadMember(ctx, R2, R1, 'sk_buff.data'),
    sub.reg(R2, R3),
    jeq.imm(R2, 0, done),
    jsgt.imm(R2, MAX_LINK_DISTANCE, done),
    jle.imm(R9, EVENT_MAC_BYTES, short),
    mov.imm(R9, EVENT_MAC_BYTES),
    at(short),
    stx.b(EVENT, F.macLength.offset, R9),
    mov.reg(R1, EVENT),
    add.imm(R1, F.mac.offset),
    mov.reg(R2, R9),
    call.helper(HELPER.probeReadKernel),
    at(done),
  );
}

const MAX_LINK_DISTANCE = 0xffff;

const TCP_TIME_WAIT = 6;
const TCP_NEW_SYN_RECV = 12;

/** uid and gid of a full socket of this namespace with a file (nf_log_dump_sk_uid_gid). */
function putOwner(ctx: HookContext): void {
  const { out } = ctx;
  const done = out.label('noowner');
  out.emit(loadSkb(ctx, R1), loadMember(ctx, R1, R1, 'sk_buff.sk'), jeq.imm(R1, 0, done));
  castTo(ctx, 'sock_common');
  out.emit(
    loadMember(ctx, R1, R0, 'sock_common.skc_state'),
    jeq.imm(R1, TCP_TIME_WAIT, done),
    jeq.imm(R1, TCP_NEW_SYN_RECV, done),
    loadMember(ctx, R1, R0, 'sock_common.skc_net'),
    loadState(ctx, R2),
    loadMember(ctx, R2, R2, 'nf_hook_state.net'),
    jne.reg(R1, R2, done),
    mov.reg(R1, R0),
  );
  castTo(ctx, 'sock');
  out.emit(loadMember(ctx, R1, R0, 'sock.sk_socket'), jeq.imm(R1, 0, done));
  castTo(ctx, 'socket');
  out.emit(loadMember(ctx, R1, R0, 'socket.file'), jeq.imm(R1, 0, done));
  castTo(ctx, 'file');
  out.emit(loadMember(ctx, R1, R0, 'file.f_cred'));
  castTo(ctx, 'cred');
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
    add.imm(R3, FRAME.dynptr),
    call.kfunc('bpf_dynptr_from_skb'),
    loadSkb(ctx, R1),
    loadMember(ctx, R9, R1, 'sk_buff.len'),
    jle.imm(R9, EVENT_PACKET_BYTES, short),
    mov.imm(R9, EVENT_PACKET_BYTES),
    at(short),
    mov.reg(R1, EVENT),
    add.imm(R1, F.packet.offset),
    mov.reg(R2, R9),
    mov.reg(R3, R10),
    add.imm(R3, FRAME.dynptr),
    mov.imm(R4, 0),
    mov.imm(R5, 0),
    call.helper(HELPER.dynptrRead),
    jne.imm(R0, 0, failed),
    stx.h(EVENT, F.captured.offset, R9),
    ja(done),
    at(failed),
    st.h(EVENT, F.captured.offset, 0),
    at(done),
  );
}
