/** The ports of a bridge that a packet comes by and leaves by (struct nf_bridge_info), as xt_physdev sees them. */

import { add, and, at, call, exit, ja, jeq, ldx, lsh, mov, stx, sub } from '../../../bpf/assembly.ts';
import { R0, R1, R2, R3, R6, R7, R10 } from '../../../bpf/instruction.ts';
import { loadStatePointer } from '../cast.ts';
import { callFunction, type HookContext, memberPlace, releaseScratch } from '../context.ts';
import { STACK } from '../layout.ts';
import { castBytes, followPointer } from './address.ts';
import { makeBoolean } from './boolean.ts';
import { loadSkbExtension } from './skb-extension.ts';

/** NETDEV_HASHENTRIES */
const BUCKETS = 256;
/** Devices of one bucket that are looked at: all that a namespace can have with room to spare. */
const MOST_DEVICES = 1 << 20;
const FRAME = { iterator: -8 } as const;

/** r1 = address of the struct nf_bridge_info, or 0. */
function loadBridgeInfo(ctx: HookContext): void {
  loadSkbExtension(ctx, 'skb_ext_id.SKB_EXT_BRIDGE_NF');
}

export function loadBridged(ctx: HookContext): void {
  loadBridgeInfo(ctx);
  makeBoolean(ctx);
}

/** r1 = address of the device it leaves by, or 0. */
function loadOutPort(ctx: HookContext): void {
  loadBridgeInfo(ctx);
  followPointer(ctx, memberPlace(ctx.facts, 'nf_bridge_info.physoutdev').offset);
}

/** r1 = address of the device it came by, or 0: the notes have its number only. */
function loadInPort(ctx: HookContext): void {
  const { out } = ctx;
  const done = out.label('port');
  loadBridgeInfo(ctx);
  out.emit(jeq.imm(R1, 0, done));
  castBytes(ctx, memberPlace(ctx.facts, 'nf_bridge_info.physinif').offset);
  out.emit(ldx.w(R1, R0, 0), stx.dw(R10, STACK.key, R1));
  loadStatePointer(ctx, 'nf_hook_state.net');
  out.emit(
    ldx.dw(R2, R10, STACK.key),
    callFunction(ctx, 'device_by_index', emitDeviceByIndex),
    mov.reg(R1, R0),
    at(done),
  );
  releaseScratch(ctx, STACK.key);
}

/** Function device_by_index(r1 struct net, r2 number) -> r0 address of its device or 0: dev_get_by_index_rcu. */
export function emitDeviceByIndex(ctx: HookContext): void {
  const { out } = ctx;
  const [loop, none, found] = [out.label('loop'), out.label('nodev'), out.label('dev')];
  const node = memberPlace(ctx.facts, 'net_device.index_hlist').offset;
  out.emit(mov.reg(R6, R2));
  followPointer(ctx, memberPlace(ctx.facts, 'net.dev_index_head').offset);
  out.emit(mov.reg(R2, R6), and.imm(R2, BUCKETS - 1), lsh.imm(R2, 3), add.reg(R1, R2));
  followPointer(ctx, 0);
  out.emit(
    mov.reg(R7, R1),
    mov.reg(R1, R10),
    add.imm(R1, FRAME.iterator),
    mov.imm(R2, 0),
    mov.imm(R3, MOST_DEVICES),
    call.kfunc('bpf_iter_num_new'),
    at(loop),
    mov.reg(R1, R10),
    add.imm(R1, FRAME.iterator),
    call.kfunc('bpf_iter_num_next'),
    jeq.imm(R0, 0, none),
    jeq.imm(R7, 0, none),
    mov.reg(R1, R7),
  );
  castBytes(ctx, memberPlace(ctx.facts, 'net_device.ifindex').offset - node);
  out.emit(ldx.w(R1, R0, 0), jeq.reg32(R1, R6, found), mov.reg(R1, R7));
  followPointer(ctx, 0);
  out.emit(mov.reg(R7, R1), ja(loop), at(found), sub.imm(R7, node), mov.reg(R6, R7));
  const end = out.label('end');
  out.emit(ja(end), at(none), mov.imm(R6, 0), at(end));
  out.emit(mov.reg(R1, R10), add.imm(R1, FRAME.iterator), call.kfunc('bpf_iter_num_destroy'), mov.reg(R0, R6), exit());
}

export function loadHasPort(which: 'in' | 'out'): (ctx: HookContext) => void {
  return (ctx) => {
    if (which === 'in') loadInPort(ctx);
    else loadOutPort(ctx);
    makeBoolean(ctx);
  };
}

/** Eight characters of the port's name as they lie in memory; zeros without one. */
export function loadPortName(which: 'in' | 'out'): (ctx: HookContext, half: 'high' | 'low') => void {
  return (ctx, half) => {
    const done = ctx.out.label('name');
    if (which === 'in') loadInPort(ctx);
    else loadOutPort(ctx);
    ctx.out.emit(jeq.imm(R1, 0, done));
    castBytes(ctx, memberPlace(ctx.facts, 'net_device.name').offset + (half === 'high' ? 0 : 8));
    ctx.out.emit(ldx.dw(R1, R0, 0), at(done));
  };
}
