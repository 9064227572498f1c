/**
 * The gate of routing, which lies between PREROUTING and INPUT or FORWARD: it lets those packets on that certainly come to one of the two, and
 * knows to which. All others go up the stack: what is refused on the way (martian and unreachable addresses, a hop limit at its end, ...)
 * counts at neither.
 */

import { add, and, at, call, endian, exit, ja, jeq, jgt, jne, ldx, mov, or, rsh, stx } from '../../bpf/assembly.ts';
import type { CodeItem, Label } from '../../bpf/code.ts';
import { R0, R1, R2, R7, R8, R10 } from '../../bpf/instruction.ts';
import type { RouteHook } from '../../early/stages.ts';
import { type HookContext, memberPlace } from '../netfilter/context.ts';
import { COUNTERS, CTX } from '../netfilter/layout.ts';
import { unlessHookKnown, unlessLocalFirst } from './gate.ts';
import { readKernel } from './kernel-memory.ts';
import { jumpIfLocalIpv4 } from './local-ipv4.ts';
import { NOTES } from './notes.ts';
import { loadNotes } from './prologue.ts';
import { beginLookup, CELLS, emitForward, emitLookup, LOOKUP, PARAMS, unlessForwards } from './route-lookup.ts';
import { jumpToStage, type StageSlot } from './stages.ts';
import { XDP } from './stub.ts';
import { loadNamespace } from './tracking-gate.ts';

/** IPV4_DEVCONF_... */
const DEVCONF = { RP_FILTER: 8, ACCEPT_LOCAL: 23 } as const;
const MOST_ADDRESSES = 16;
/** The kind of a device whose frames are in packet buffers, as it lies in memory. */
const VETH = 0x68746576;

export type RouteWays = Partial<Record<RouteHook, StageSlot>>;

/** Emits the program. `ways`: the first table behind either; absent: packets that come there go up the stack. */
export function emitRouteGate(ctx: HookContext, ways: RouteWays): void {
  const { out, facts, family } = ctx;
  const place = (name: Parameters<typeof memberPlace>[1]): number => memberPlace(facts, name).offset;
  const [pass, local, other] = [out.label('pass'), out.label('local'), out.label('other')];
  out.emit(
    mov.reg(CTX, R1),
    ...loadNotes(facts.possibleCpus, pass),
    mov.reg(R1, CTX),
    call.kfunc('bpf_cast_to_kern_ctx'),
    ...readKernel('dw', R7, R0, place('xdp_buff.rxq')),
    ...readKernel('dw', R7, R7, place('xdp_rxq_info.dev')),
    stx.dw(R10, CELLS.device, R7),
    ...loadNamespace(ctx),
  );
  emitMark(ctx, pass);
  if (family === 'ipv4') emitIpv4(ctx, { local, other, pass });
  else emitIpv6(ctx, { local, other, pass });
  out.emit(at(local));
  if (ways.INPUT !== undefined) out.emit(...unlessHookKnown(ctx, 'INPUT', pass), ...jumpToStage(ways.INPUT));
  out.emit(ja(pass), at(other));
  if (ways.FORWARD !== undefined) {
    out.emit(...unlessHookKnown(ctx, 'FORWARD', pass));
    emitForward(ctx, pass);
    out.emit(...jumpToStage(ways.FORWARD));
  }
  out.emit(at(pass), mov.imm(R0, XDP.pass), exit());
}

/** Rules of routing can ask for the mark of a packet, which a veth hands on within its namespace. */
function emitMark(ctx: HookContext, pass: Label): void {
  const { out, facts } = ctx;
  const unmarked = out.label('unmarked');
  out.emit(
    ldx.dw(R1, R10, CELLS.device),
    ...readKernel('dw', R1, R1, memberPlace(facts, 'net_device.rtnl_link_ops').offset),
    ...readKernel('dw', R1, R1, memberPlace(facts, 'rtnl_link_ops.kind').offset),
    ...readKernel('w', R1, R1, 0),
    jne.imm(R1, VETH, unmarked),
    mov.reg(R1, CTX),
    call.kfunc('bpf_cast_to_kern_ctx'),
    ...readKernel('dw', R1, R0, memberPlace(facts, 'veth_xdp_buff.skb').offset),
    jeq.imm(R1, 0, unmarked),
    ...readKernel('w', R1, R1, memberPlace(facts, 'sk_buff.mark').offset),
    jne.imm(R1, 0, pass),
    at(unmarked),
  );
}

interface Targets {
  readonly local: Label;
  readonly other: Label;
  readonly pass: Label;
}

/** r8 = struct net. */
function emitIpv4(ctx: HookContext, { local, other, pass }: Targets): void {
  const { out, facts } = ctx;
  const place = (name: Parameters<typeof memberPlace>[1]): number => memberPlace(facts, name).offset;
  const [toUs, toOthers, valid, unfiltered] = ['to.us', 'to.others', 'valid', 'unfiltered'].map((hint) =>
    out.label(hint),
  ) as [Label, Label, Label, Label];
  const flag = (name: Parameters<typeof memberPlace>[1]): readonly CodeItem[] => [
    ...readKernel('w', R1, R8, place(name) & ~3),
    rsh.imm(R1, (place(name) & 3) * 8),
    and.imm(R1, 0xff),
    jne.imm(R1, 0, pass),
  ];
  /** r7 = what the device or all devices have for it, or-ed. */
  const setting = (name: keyof typeof DEVCONF): readonly CodeItem[] => {
    const offset = place('ipv4_devconf.data') + 4 * (DEVCONF[name] - 1);
    return [
      ldx.dw(R1, R10, CELLS.inDevice),
      ...readKernel('w', R7, R1, place('in_device.cnf') + offset),
      ...readKernel('dw', R1, R8, place('net.ipv4.devconf_all')),
      ...readKernel('w', R1, R1, offset),
      or.reg(R7, R1),
    ];
  };
  out.emit(
    ...unlessLocalFirst(ctx, pass),
    ...readKernel('w', R1, R8, place('net.ipv4.fib_num_tclassid_users')),
    jne.imm(R1, 0, pass),
    ldx.dw(R1, R10, CELLS.device),
    ...readKernel('dw', R7, R1, place('net_device.ip_ptr')),
    jeq.imm(R7, 0, pass),
    stx.dw(R10, CELLS.inDevice, R7),
    ldx.dw(R1, COUNTERS, NOTES.addresses),
    stx.w(R10, CELLS.destination, R1),
    ...unlessOrdinary(R1, pass),
    ldx.dw(R1, COUNTERS, NOTES.addresses),
    rsh.imm(R1, 32),
    stx.w(R10, CELLS.source, R1),
    ...unlessOrdinary(R1, pass),
  );
  out.emit(
    // IN_DEV_ORCONF(ACCEPT_LOCAL): nothing else is asked of the source then.
    ...setting('ACCEPT_LOCAL'),
    jne.imm(R7, 0, valid),
    // With these it is asked more.
    ...flag('net.ipv4.fib_has_custom_rules'),
    ...flag('net.ipv4.fib_has_custom_local_routes'),
  );
  // fib_validate_source refuses our own addresses as sources.
  jumpIfLocalIpv4(ctx, CELLS.source, { local: pass, other: valid, doubtful: pass });
  out.emit(
    at(valid),
    // IN_DEV_MAXCONF(RP_FILTER)
    ...setting('RP_FILTER'),
    jeq.imm(R7, 0, unfiltered),
  );
  emitReversePath(ctx, pass);
  out.emit(at(unfiltered));
  jumpIfLocalIpv4(ctx, CELLS.destination, { local: toUs, other: toOthers, doubtful: pass });
  out.emit(at(toUs), ja(local), at(toOthers), ja(other));
}

/** To `pass` unless the address is neither of 0/8, 127/8 nor 224/3. The address is the register's lower half; changes it. */
function unlessOrdinary(register: number, pass: Label): readonly CodeItem[] {
  return [
    rsh.imm(register, 24),
    and.imm(register, 0xff),
    jeq.imm(register, 0, pass),
    jeq.imm(register, 127, pass),
    jgt.imm(register, 223, pass),
  ];
}

/** With rp_filter: the way back to the source is the device that the packet came in by. */
function emitReversePath(ctx: HookContext, pass: Label): void {
  const { out } = ctx;
  beginLookup(ctx);
  out.emit(
    ldx.w(R1, R10, CELLS.destination),
    endian.toBe(32, R1),
    stx.w(R10, LOOKUP + PARAMS.source, R1),
    ldx.w(R1, R10, CELLS.source),
    endian.toBe(32, R1),
    stx.w(R10, LOOKUP + PARAMS.destination, R1),
  );
  emitLookup(ctx, pass);
  out.emit(ldx.w(R1, R10, LOOKUP + PARAMS.ifindex), ldx.w(R2, R10, CELLS.index), jne.reg(R1, R2, pass));
}

/** r8 = struct net. */
function emitIpv6(ctx: HookContext, { local, other, pass }: Targets): void {
  const { out, facts } = ctx;
  const place = (name: Parameters<typeof memberPlace>[1]): number => memberPlace(facts, name).offset;
  const [none] = [out.label('none')];
  const found = out.label('found');
  out.emit(
    ...unlessLocalFirst(ctx, pass),
    ...readKernel('w', R1, R8, place('net.ipv6.fib6_routes_require_src')),
    jne.imm(R1, 0, pass),
    ldx.dw(R1, R10, CELLS.device),
    ...readKernel('dw', R7, R1, place('net_device.ip6_ptr')),
    jeq.imm(R7, 0, pass),
    add.imm(R7, place('inet6_dev.addr_list')),
    stx.dw(R10, CELLS.inDevice, R7),
    // The destination, as it lies in the packet.
    ldx.dw(R1, COUNTERS, NOTES.header),
    ...readKernel('dw', R1, R1, 24),
    stx.dw(R10, LOOKUP, R1),
    ldx.dw(R1, COUNTERS, NOTES.header),
    ...readKernel('dw', R1, R1, 32),
    stx.dw(R10, LOOKUP + 8, R1),
  );
  const address = place('inet6_ifaddr.addr') - place('inet6_ifaddr.if_list');
  for (let step = 0; step < MOST_ADDRESSES; step++) {
    const next = out.label('address');
    out.emit(
      ...readKernel('dw', R7, R7, 0),
      ldx.dw(R1, R10, CELLS.inDevice),
      jeq.reg(R1, R7, none),
      mov.reg(R1, R7),
      ...readKernel('dw', R1, R1, address),
      ldx.dw(R2, R10, LOOKUP),
      jne.reg(R1, R2, next),
      mov.reg(R1, R7),
      ...readKernel('dw', R1, R1, address + 8),
      ldx.dw(R2, R10, LOOKUP + 8),
      jeq.reg(R1, R2, found),
      at(next),
    );
  }
  out.emit(
    ja(pass),
    at(found),
    // Its route is in the tree: not while duplicates are looked for.
    add.imm(R7, place('inet6_ifaddr.rt') - place('inet6_ifaddr.if_list')),
    ...readKernel('dw', R7, R7, 0),
    jeq.imm(R7, 0, pass),
    ...readKernel('dw', R1, R7, place('fib6_info.fib6_node')),
    jne.imm(R1, 0, local),
    ja(pass),
    at(none),
    ...unlessForwards(ctx, pass),
    ja(other),
  );
}
