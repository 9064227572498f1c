/** What the gate of routing asks the kernel's own look-up of routes (bpf_fib_lookup): the way back to a source, and the way on to FORWARD. */

import { add, and, at, call, endian, ja, jeq, jle, jlt, jne, ldx, mov, rsh, st, stx } from '../../bpf/assembly.ts';
import type { CodeItem, Label } from '../../bpf/code.ts';
import { R0, R1, R2, R3, R4, R7, R8, R10 } from '../../bpf/instruction.ts';
import { callFunction, type HookContext, memberPlace } from '../netfilter/context.ts';
import { emitDeviceByIndex } from '../netfilter/fields/bridge.ts';
import { COUNTERS, CTX } from '../netfilter/layout.ts';
import { readKernel } from './kernel-memory.ts';
import { NOTES } from './notes.ts';

/** u64 each on the stack: the device, its struct in_device or inet6_dev, and u32 addresses as numbers. */
export const CELLS = { device: -8, inDevice: -16, source: -20, destination: -24, index: -28 } as const;
/** struct bpf_fib_lookup */
export const LOOKUP = -96;
const LOOKUP_BYTES = 64;
export const PARAMS = {
  family: 0,
  protocol: 1,
  sport: 2,
  dport: 4,
  length: 6,
  ifindex: 8,
  tos: 12,
  source: 16,
  destination: 32,
};
const AF = { ipv4: 2, ipv6: 10 } as const;
const FIB_LOOKUP = 69;
/** BPF_FIB_LKUP_RET_SUCCESS and _NO_NEIGH: forwarded, whether or not the neighbour is known yet. */
const FORWARDED = { success: 0, noNeighbour: 7 } as const;
/** The smallest MTU that a route can have: of IPv4, of IPv6. */
const LEAST_MTU = { ipv4: 68, ipv6: 1280 } as const;
const DONT_FRAGMENT = 0x40;
const XFRM = { out: 1, forward: 2, accept: 2 } as const;

/** Zeros, family and input device; uses r0..r5. */
export function beginLookup(ctx: HookContext): void {
  const { out, facts, family } = ctx;
  for (let at = 0; at < LOOKUP_BYTES; at += 8) out.emit(st.dw(R10, LOOKUP + at, 0));
  out.emit(
    st.b(R10, LOOKUP + PARAMS.family, AF[family]),
    ldx.dw(R1, R10, CELLS.device),
    ...readKernel('w', R1, R1, memberPlace(facts, 'net_device.ifindex').offset),
    stx.w(R10, LOOKUP + PARAMS.ifindex, R1),
    stx.w(R10, CELLS.index, R1),
  );
}

/** bpf_fib_lookup: to `pass` unless a packet would be forwarded. */
export function emitLookup(ctx: HookContext, pass: Label): void {
  const { out } = ctx;
  const forwarded = out.label('forwarded');
  out.emit(
    mov.reg(R1, CTX),
    mov.reg(R2, R10),
    add.imm(R2, LOOKUP),
    mov.imm(R3, LOOKUP_BYTES),
    mov.imm(R4, 0),
    call.helper(FIB_LOOKUP),
    jeq.imm(R0, FORWARDED.success, forwarded),
    jne.imm(R0, FORWARDED.noNeighbour, pass),
    at(forwarded),
  );
}

/** The packet certainly comes to FORWARD (ip_forward, ip6_forward); notes the output device. r8 = struct net. */
export function emitForward(ctx: HookContext, pass: Label): void {
  const { out, facts, family } = ctx;
  const place = (name: Parameters<typeof memberPlace>[1]): number => memberPlace(facts, name).offset;
  const short = out.label('short');
  for (const way of [XFRM.out, XFRM.forward]) {
    out.emit(
      ...readKernel('w', R1, R8, place('net.xfrm.policy_count') + 4 * way),
      jne.imm(R1, 0, pass),
      ...readKernel('w', R1, R8, (place('net.xfrm.policy_default') + way) & ~3),
      rsh.imm(R1, ((place('net.xfrm.policy_default') + way) & 3) * 8),
      and.imm(R1, 0xff),
      jne.imm(R1, XFRM.accept, pass),
    );
  }
  beginLookup(ctx);
  const header = (size: 'h' | 'w' | 'dw', dst: number, offset: number): readonly CodeItem[] => [
    ldx.dw(R1, COUNTERS, NOTES.header),
    ...readKernel(size, dst, R1, offset),
  ];
  out.emit(ldx.w(R1, COUNTERS, NOTES.length), jle.imm(R1, LEAST_MTU[family], short));
  if (family === 'ipv6') out.emit(ja(pass));
  else out.emit(...header('h', R1, 6), and.imm(R1, DONT_FRAGMENT), jne.imm(R1, 0, pass));
  out.emit(at(short));
  if (family === 'ipv4') {
    out.emit(
      // Time to live and protocol.
      ...header('h', R1, 8),
      mov.reg(R2, R1),
      rsh.imm(R2, 8),
      stx.b(R10, LOOKUP + PARAMS.protocol, R2),
      and.imm(R1, 0xff),
      jlt.imm(R1, 2, pass),
      ...header('h', R1, 0),
      rsh.imm(R1, 8),
      stx.b(R10, LOOKUP + PARAMS.tos, R1),
      ...header('w', R1, 12),
      stx.w(R10, LOOKUP + PARAMS.source, R1),
      ...header('w', R1, 16),
      stx.w(R10, LOOKUP + PARAMS.destination, R1),
      ...header('w', R1, 20),
    );
  } else {
    out.emit(
      ...header('h', R1, 6),
      mov.reg(R2, R1),
      and.imm(R2, 0xff),
      stx.b(R10, LOOKUP + PARAMS.protocol, R2),
      rsh.imm(R1, 8),
      jlt.imm(R1, 2, pass),
      ...header('w', R1, 0),
      endian.toBe(32, R1),
      and.imm(R1, 0x0fffffff),
      endian.toBe(32, R1),
      stx.w(R10, LOOKUP + PARAMS.tos, R1),
    );
    for (let half = 0; half < 4; half++)
      out.emit(...header('dw', R1, 8 + 8 * half), stx.dw(R10, LOOKUP + PARAMS.source + 8 * half, R1));
    out.emit(...header('w', R1, 40));
  }
  out.emit(
    // Ports, or what lies there.
    stx.h(R10, LOOKUP + PARAMS.sport, R1),
    rsh.imm(R1, 16),
    stx.h(R10, LOOKUP + PARAMS.dport, R1),
  );
  emitLookup(ctx, pass);
  out.emit(
    ldx.w(R2, R10, LOOKUP + PARAMS.ifindex),
    ldx.w(R1, R10, CELLS.index),
    // Sent back where it came from: with a redirect, and other tests of the source.
    jeq.reg(R1, R2, pass),
    mov.reg(R1, R8),
    callFunction(ctx, 'device_by_index', emitDeviceByIndex),
    jeq.imm(R0, 0, pass),
    stx.dw(COUNTERS, NOTES.outDevice, R0),
  );
}

/** What ip6_forward asks for before it looks at the packet's route. bpf_fib_lookup itself refuses link-local addresses. */
export function unlessForwards(ctx: HookContext, pass: Label): readonly CodeItem[] {
  const { facts } = ctx;
  const place = (name: Parameters<typeof memberPlace>[1]): number => memberPlace(facts, name).offset;
  return [
    ...readKernel('dw', R7, R8, place('net.ipv6.devconf_all')),
    ...readKernel('w', R1, R7, place('ipv6_devconf.forwarding')),
    jeq.imm(R1, 0, pass),
    ...readKernel('w', R1, R7, place('ipv6_devconf.proxy_ndp')),
    jne.imm(R1, 0, pass),
    ldx.dw(R1, R10, CELLS.device),
    ...readKernel('dw', R1, R1, place('net_device.ip6_ptr')),
    ...readKernel('w', R1, R1, place('inet6_dev.cnf') + place('ipv6_devconf.proxy_ndp')),
    jne.imm(R1, 0, pass),
  ];
}
