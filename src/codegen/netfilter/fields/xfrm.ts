/** IPsec: the transformations that a packet was decrypted by, and those that its route will put on it. */

import { add, and, at, endian, exit, ja, jeq, jgt, jne, ldx, lsh, mov, sub } from '../../../bpf/assembly.ts';
import { R0, R1, R2, R6, R7 } from '../../../bpf/instruction.ts';
import { XFRM_DEPTH, type XfrmDirection, type XfrmProperty } from '../../../policy/environment-fields.ts';
import { castTo } from '../cast.ts';
import { callFunction, type HookContext, loadMember, loadSkb, memberPlace } from '../context.ts';
import { castBytes, followPointer } from './address.ts';
import { makeBoolean } from './boolean.ts';
import { loadSkbExtension } from './skb-extension.ts';

/** r1 = address of the struct sec_path, or 0. */
function loadSecurityPath(ctx: HookContext): void {
  loadSkbExtension(ctx, 'skb_ext_id.SKB_EXT_SEC_PATH');
}

export function loadXfrmInPresent(ctx: HookContext): void {
  loadSecurityPath(ctx);
  makeBoolean(ctx);
}

export function loadXfrmInDepth(ctx: HookContext): void {
  loadSecurityPath(ctx);
  castTo(ctx, 'sec_path');
  ctx.out.emit(loadMember(ctx, R1, R0, 'sec_path.len'));
}

/** r1 = address of the state `depth` places before the last one of the security path; what lies there when there is none is not asked. */
function loadInState(ctx: HookContext, depth: number): void {
  const { out } = ctx;
  loadSecurityPath(ctx);
  out.emit(mov.imm(R2, depth), callFunction(ctx, 'xfrm_in_state', emitInState), mov.reg(R1, R0));
}

/** Function xfrm_in_state(r1 address of a struct sec_path or 0, r2 depth) -> r0 address of the state, 0 where there is none. */
function emitInState(ctx: HookContext): void {
  const { out } = ctx;
  const none = out.label('nostate');
  out.emit(jeq.imm(R1, 0, none), mov.reg(R6, R1), mov.reg(R7, R2));
  castBytes(ctx, memberPlace(ctx.facts, 'sec_path.len').offset);
  out.emit(
    ldx.w(R1, R0, 0),
    sub.reg(R1, R7),
    sub.imm(R1, 1),
    // Below 0 is far above the last index.
    jgt.imm(R1, XFRM_DEPTH - 1, none),
    lsh.imm(R1, 3),
    add.reg(R1, R6),
  );
  followPointer(ctx, memberPlace(ctx.facts, 'sec_path.xvec').offset);
  out.emit(mov.reg(R0, R1), exit(), at(none), mov.imm(R0, 0), exit());
}

/** r1 = address of the packet's struct dst_entry, or 0. */
export function loadRoute(ctx: HookContext): void {
  ctx.out.emit(loadSkb(ctx, R1), loadMember(ctx, R1, R1, 'sk_buff._skb_refdst'), and.imm(R1, ~1));
}

/**
 * Function xfrm_out_state(r1 address of a struct dst_entry, r2 depth) -> r0 address of its state there, 0 where there is none; for a
 * depth of XFRM_DEPTH the number of states. A route without a state is no xfrm_dst and has no child.
 */
function emitOutState(ctx: HookContext): void {
  const { out } = ctx;
  const [none, found] = [out.label('nostate'), out.label('state')];
  out.emit(mov.reg(R6, R1), mov.reg(R7, R2));
  for (let depth = 0; depth < XFRM_DEPTH; depth++) {
    const end = out.label('end');
    const next = out.label('next');
    out.emit(mov.reg(R1, R6));
    followPointer(ctx, memberPlace(ctx.facts, 'dst_entry.xfrm').offset);
    out.emit(jeq.imm(R1, 0, end), jeq.imm(R7, depth, found), mov.reg(R1, R6));
    followPointer(ctx, memberPlace(ctx.facts, 'xfrm_dst.child').offset);
    out.emit(mov.reg(R6, R1), ja(next), at(end), jne.imm(R7, XFRM_DEPTH, none), mov.imm(R0, depth), exit(), at(next));
  }
  out.emit(jne.imm(R7, XFRM_DEPTH, none), mov.imm(R0, XFRM_DEPTH), exit());
  out.emit(at(found), mov.reg(R0, R1), exit(), at(none), mov.imm(R0, 0), exit());
}

function loadOutState(ctx: HookContext, depth: number): void {
  loadRoute(ctx);
  ctx.out.emit(mov.imm(R2, depth), callFunction(ctx, 'xfrm_out_state', emitOutState), mov.reg(R1, R0));
}

export function loadXfrmOutDepth(ctx: HookContext): void {
  loadOutState(ctx, XFRM_DEPTH);
}

function castState(ctx: HookContext, direction: XfrmDirection, depth: number): void {
  if (direction === 'in') loadInState(ctx, depth);
  else loadOutState(ctx, depth);
  castTo(ctx, 'xfrm_state');
}

const MEMBERS = {
  spi: 'xfrm_state.id.spi',
  proto: 'xfrm_state.id.proto',
  daddr: 'xfrm_state.id.daddr',
  reqid: 'xfrm_state.props.reqid',
  mode: 'xfrm_state.props.mode',
  saddr: 'xfrm_state.props.saddr',
} as const satisfies Record<XfrmProperty, string>;

/** A number of a state; the spi is kept in network order. */
export function loadXfrmNumber(
  direction: XfrmDirection,
  depth: number,
  property: 'spi' | 'proto' | 'reqid' | 'mode',
): (ctx: HookContext) => void {
  return (ctx) => {
    castState(ctx, direction, depth);
    ctx.out.emit(loadMember(ctx, R1, R0, MEMBERS[property]));
    if (property === 'spi') ctx.out.emit(endian.toBe(32, R1));
  };
}

/** Half of an address as it lies in memory; for IPv4 the whole address, in host order. */
export function loadXfrmAddress(
  direction: XfrmDirection,
  depth: number,
  property: 'saddr' | 'daddr',
): (ctx: HookContext, half: 'high' | 'low') => void {
  return (ctx, half) => {
    if (direction === 'in') loadInState(ctx, depth);
    else loadOutState(ctx, depth);
    castBytes(ctx, memberPlace(ctx.facts, MEMBERS[property]).offset);
    if (ctx.family === 'ipv4') ctx.out.emit(ldx.w(R1, R0, 0), endian.toBe(32, R1));
    else ctx.out.emit(ldx.dw(R1, R0, half === 'high' ? 0 : 8));
  };
}
