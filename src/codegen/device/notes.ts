/**
 * What a program on a device knows of its packet, at the beginning of its CPU's counters: r9 points there while rules run. Programs on
 * devices run with softirqs disabled, one at a time on each CPU.
 */

import { add, call, ldx, mov } from '../../bpf/assembly.ts';
import type { CodeItem, Label } from '../../bpf/code.ts';
import { R0, R1, R2, R3, R4, R10 } from '../../bpf/instruction.ts';
import type { DeviceKind } from '../../device/hook.ts';
import { COUNTERS, CTX, STACK } from '../netfilter/layout.ts';

/** Byte offsets from r9. */
export const NOTES = {
  /** u32: length of the packet from the IP header on, without what the link layer has put behind it. */
  length: 0,
  /** u32: where the IP header begins in the frame. */
  place: 4,
  /** u64: address of the conntrack entry and, in the low three bits, enum ip_conntrack_info; as sk_buff._nfct. */
  entry: 8,
  /** u64: address of the struct net_device. */
  device: 16,
  /** The Ethernet header, 14 bytes, and what is read of a VLAN tag behind it. */
  frame: 24,
  tag: 40,
  /** The first bytes of the packet. */
  header: 64,
  /** struct bpf_sock_tuple and struct bpf_ct_opts while a connection is looked up. */
  tuple: 160,
  options: 200,
  /** u32: length of an answer, from its IP header on. */
  answer: 216,
  bytes: 256,
} as const;

/** How many bytes of the packet are copied: the longest IPv4 header and 20 bytes behind it, or IPv6 with some extension headers. */
export const HEADER_BYTES = 96;

/** Counters that the notes take the place of. */
export const NOTE_COUNTERS = NOTES.bytes / 16;

/** What of the notes the walks before the rules need, while r9 holds something else: u64 each, zeroed behind them. */
export const DEVICE_STACK = { length: STACK.saved[0], place: STACK.saved[1] } as const;

/** Members of struct __sk_buff (the context of TC programs). */
export const SK_BUFF_MD = { len: 0, packetType: 4, mark: 8, protocol: 16, ifindex: 40, gsoSize: 176 } as const;

export const LOAD_BYTES = { xdp: 189, 'tc-ingress': 26, 'tc-egress': 26 } as const satisfies Record<DeviceKind, number>;

/** Copies r4 bytes of the frame from offset r2 on to r3; r0 = 0 or an error. Uses r1..r5. */
export function loadBytes(kind: DeviceKind): readonly CodeItem[] {
  return [mov.reg(R1, CTX), call.helper(LOAD_BYTES[kind])];
}

/** The same with constants, to a place in the notes. */
export function loadToNotes(kind: DeviceKind, from: number, to: number, bytes: number): readonly CodeItem[] {
  return [mov.imm(R2, from), mov.reg(R3, COUNTERS), add.imm(R3, to), mov.imm(R4, bytes), ...loadBytes(kind)];
}

/**
 * r2 bytes, 1 to 24, of the packet from the place in r9 on, into the buffer of the stack; r9 is that of the walks before the rules.
 * What cannot be read stays as it is.
 */
export function readFromFrame(kind: DeviceKind): readonly CodeItem[] {
  return [
    mov.reg(R4, R2),
    ldx.dw(R2, R10, DEVICE_STACK.place),
    add.reg(R2, COUNTERS),
    mov.reg(R3, R10),
    add.imm(R3, STACK.buffer),
    ...loadBytes(kind),
  ];
}

/** dst = length of the packet. */
export function loadNotedLength(dst: number): CodeItem {
  return ldx.w(dst, COUNTERS, NOTES.length);
}

/** r0 = address of the IP header. */
export function notedHeader(): readonly CodeItem[] {
  return [mov.reg(R0, COUNTERS), add.imm(R0, NOTES.header)];
}

/** How a device program's ends are called. */
export interface DeviceEnds {
  readonly pass: Label;
  readonly drop: Label;
}
