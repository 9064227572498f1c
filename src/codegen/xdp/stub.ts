/**
 * The program on a device: lets everything pass of which it is not certain that the stack would see the same packet on the same
 * device, and jumps into the early program of the generation in force for the rest.
 *
 *     frame                 IPv4 or IPv6 without a tag, to this device's own address
 *     device                Ethernet; nothing on top of it (bridge, bond, VLAN, VRF, macvlan), nothing of tc or nftables at its ingress
 *     g == 0, or no program for this family in generation g: pass
 *
 * All of that is looked at for every frame: devices change while programs stay.
 */

import {
  add,
  and,
  at,
  call,
  exit,
  ja,
  jeq,
  jgt,
  jne,
  lddw,
  ldx,
  lsh,
  mov,
  movStructId,
  stx,
} from '../../bpf/assembly.ts';
import { buildProgram } from '../../bpf/builder.ts';
import type { CodeItem } from '../../bpf/code.ts';
import type { KernelFacts } from '../../bpf/facts.ts';
import { R0, R1, R2, R3, R4, R6, R7, R8, R9, R10 } from '../../bpf/instruction.ts';
import type { MapSpec, ProgramSpec } from '../../bpf/program.ts';
import { FAMILIES, type Family } from '../../packet/netfilter.ts';
import { memberPlace } from '../netfilter/context.ts';
import { HELPER } from '../netfilter/layout.ts';
import { STUB_MAPS } from '../netfilter/stub.ts';
import { readKernel } from './kernel-memory.ts';

/** enum xdp_action */
export const XDP = { drop: 1, pass: 2 } as const;
/** struct xdp_md */
export const XDP_MD = { data: 0, dataEnd: 4 } as const;
export const ETHERNET_BYTES = 14;

/** PROG_ARRAY: early programs; family n of even generations at 2n, of odd ones at 2n + 1. */
export const EARLY_PROGRAMS = {
  name: 'bf_early_progs',
  type: 'prog_array',
  keySize: 4,
  valueSize: 4,
  maxEntries: 4,
} as const satisfies MapSpec;

export function earlySlot(family: Family, generation: number): number {
  return FAMILIES.indexOf(family) * 2 + (generation & 1);
}

/** Ethernet types as a little-endian machine loads them. */
const TYPE = { ipv4: 0x0008, ipv6: 0xdd86 } as const satisfies Record<Family, number>;
const ARPHRD_ETHER = 1;
const XDP_BUFF = -8;

/**
 * How the tag of a VLAN can reach a device's program. `veth`, in its driver's own mode: beside the frame, in a packet buffer that can be looked
 * at. `other`: beside the frame where nobody sees it, unless the device takes no tags out of frames.
 */
export const STUB_KINDS = ['veth', 'other'] as const;
export type StubKind = (typeof STUB_KINDS)[number];

/** Throws MissingMember. */
export function earlyStub(facts: KernelFacts, kind: StubKind): ProgramSpec {
  const place = (name: Parameters<typeof memberPlace>[1]): number => memberPlace(facts, name).offset;
  // A number that the verifier knows makes a jump of a tail call: both ways apart.
  const jump = (slot: number): readonly CodeItem[] => [
    mov.reg(R1, R6),
    lddw.map(R2, EARLY_PROGRAMS.name),
    mov.imm(R3, slot),
    call.helper(HELPER.tailCall),
    ja('pass'),
  ];
  const family = (name: Family): readonly CodeItem[] => [
    at(name),
    lddw.mapValue(R2, STUB_MAPS.generation),
    ldx.dw(R3, R2, 0),
    jeq.imm(R3, 0, 'pass'),
    and.imm(R3, 1),
    jne.imm(R3, 0, `${name}.odd`),
    ...jump(earlySlot(name, 0)),
    at(`${name}.odd`),
    ...jump(earlySlot(name, 1)),
  ];
  /** r8 = the address in `register` as a structure: one cast for many reads. Uses r0..r5. */
  const as = (register: number, struct: string): readonly CodeItem[] => [
    mov.reg(R1, register),
    movStructId(R2, struct),
    call.kfunc('bpf_rdonly_cast'),
    mov.reg(R8, R0),
  ];
  return buildProgram('bf_early', 'xdp', [
    mov.reg(R6, R1),
    ldx.w(R2, R6, XDP_MD.data),
    ldx.w(R3, R6, XDP_MD.dataEnd),
    mov.reg(R4, R2),
    add.imm(R4, ETHERNET_BYTES),
    jgt.reg(R4, R3, 'pass'),
    ldx.h(R9, R2, 12),
    jeq.imm(R9, TYPE.ipv4, 'ip'),
    jne.imm(R9, TYPE.ipv6, 'pass'),
    at('ip'),
    // The destination's six bytes, on top.
    ldx.dw(R7, R2, 0),
    lsh.imm(R7, 16),
    mov.reg(R1, R6),
    call.kfunc('bpf_cast_to_kern_ctx'),
    stx.dw(R10, XDP_BUFF, R0),
    ...readKernel('dw', R8, R0, place('xdp_buff.rxq')),
    ...readKernel('dw', R8, R8, place('xdp_rxq_info.dev')),
    ...as(R8, 'net_device'),
    ldx.dw(R1, R8, place('net_device.dev_addr')),
    ...readKernel('dw', R1, R1, 0),
    lsh.imm(R1, 16),
    jne.reg(R1, R7, 'pass'),
    ldx.h(R1, R8, place('net_device.type')),
    jne.imm(R1, ARPHRD_ETHER, 'pass'),
    ldx.dw(R1, R8, place('net_device.adj_list.upper')),
    // An empty list points to itself.
    mov.reg(R2, R8),
    add.imm(R2, place('net_device.adj_list.upper')),
    jne.reg(R1, R2, 'pass'),
    ldx.dw(R1, R8, place('net_device.tcx_ingress')),
    jne.imm(R1, 0, 'pass'),
    ldx.dw(R1, R8, place('net_device.nf_hooks_ingress')),
    jne.imm(R1, 0, 'pass'),
    ...(kind === 'veth' ? unlessTagged(place) : unlessTakesTags(place('net_device.features'))),
    jeq.imm(R9, TYPE.ipv4, 'ipv4'),
    // IPv6 may be switched off on the device.
    ldx.dw(R1, R8, place('net_device.ip6_ptr')),
    jeq.imm(R1, 0, 'pass'),
    ...readKernel('w', R1, R1, place('inet6_dev.cnf.disable_ipv6')),
    jne.imm(R1, 0, 'pass'),
    ...family('ipv6'),
    ...family('ipv4'),
    at('pass'),
    mov.imm(R0, XDP.pass),
    exit(),
  ]);
}

type Place = (name: 'veth_xdp_buff.skb' | 'sk_buff.vlan_all') => number;

/**
 * A veth has the frame in a packet buffer, with the tag of a VLAN beside it, where this program does not see it; or, redirected to
 * it, in none, with the tag in the frame.
 */
function unlessTagged(place: Place): readonly CodeItem[] {
  return [
    ldx.dw(R1, R10, XDP_BUFF),
    ...readKernel('dw', R7, R1, place('veth_xdp_buff.skb')),
    jeq.imm(R7, 0, 'untagged'),
    ...readKernel('w', R1, R7, place('sk_buff.vlan_all')),
    jne.imm(R1, 0, 'pass'),
    at('untagged'),
  ];
}

/** NETIF_F_HW_VLAN_CTAG_RX, NETIF_F_HW_VLAN_STAG_RX */
const TAKES_TAGS = (1n << 8n) | (1n << 46n);

/** r8 = device. */
function unlessTakesTags(features: number): readonly CodeItem[] {
  return [ldx.dw(R1, R8, features), lddw.imm(R2, TAKES_TAGS), and.reg(R1, R2), jne.imm(R1, 0, 'pass')];
}
