/**
 * Dynptrs over packets: `struct bpf_dynptr_kern` { data: address of the skb, size u32, offset u32 } in 16 bytes of the
 * program's stack. The packet behind an skb is what `Machine.packets` says, whatever of it is linear.
 */

import type { Machine, VmFunction, VmPacket } from './machine.ts';
import { E2BIG, EINVAL } from './maps.ts';
import { joinHalves, requireBytes, VmFault } from './memory.ts';

const DYNPTR_SIZE = 16;

/** `int bpf_dynptr_from_skb(skb, u64 flags, struct bpf_dynptr *ptr)` */
export const dynptrFromSkb: VmFunction = (machine, skb, flags, pointer) => {
  const target = requireBytes(machine.memory, pointer, DYNPTR_SIZE, 'bpf_dynptr_from_skb', 'write');
  target.fill(0);
  if (flags !== 0n) return BigInt(-EINVAL);
  const packet = machine.packets.get(skb);
  if (packet === undefined) throw new VmFault('bpf_dynptr_from_skb: the argument is no sk_buff');
  const view = new DataView(target.buffer, target.byteOffset, DYNPTR_SIZE);
  view.setBigUint64(0, skb, true);
  view.setUint32(8, packet.bytes.length, true);
  return 0n;
};

/** `void *bpf_dynptr_slice(ptr, u64 offset, void *buffer, u64 size)`: into the packet if linear there, else a copy in `buffer`. */
export const dynptrSlice: VmFunction = (machine, pointer, offset, buffer, size) => {
  const packet = packetOf(machine, pointer);
  if (packet === undefined) return 0n;
  const range = rangeOf(packet, offset, size);
  if (range === undefined) return 0n;
  if (range.end <= packet.linearLength) return packet.linear + BigInt(range.start);
  if (buffer === 0n) return 0n;
  const target = requireBytes(machine.memory, buffer, range.end - range.start, 'bpf_dynptr_slice', 'write');
  target.set(packet.bytes.subarray(range.start, range.end));
  return buffer;
};

/** `long bpf_dynptr_read(void *dst, u64 len, ptr, u64 offset, u64 flags)` */
export const dynptrRead: VmFunction = (machine, to, length, pointer, offset, flags) => {
  const packet = packetOf(machine, pointer);
  if (packet === undefined || flags !== 0n) return BigInt(-EINVAL);
  const range = rangeOf(packet, offset, length);
  if (range === undefined) return BigInt(-E2BIG);
  const target = requireBytes(machine.memory, to, range.end - range.start, 'bpf_dynptr_read', 'write');
  target.set(packet.bytes.subarray(range.start, range.end));
  return 0n;
};

/** `__u64 bpf_dynptr_size(ptr)` */
export const dynptrSize: VmFunction = (machine, pointer) => {
  const packet = packetOf(machine, pointer);
  return packet === undefined ? BigInt(-EINVAL) : BigInt(packet.bytes.length);
};

/** Undefined for a null dynptr. */
function packetOf(machine: Machine, pointer: bigint): VmPacket | undefined {
  const bytes = requireBytes(machine.memory, pointer, DYNPTR_SIZE, 'dynptr', 'read');
  const view = new DataView(bytes.buffer, bytes.byteOffset, DYNPTR_SIZE);
  const skb = joinHalves(view.getInt32(0, true), view.getInt32(4, true));
  if (skb === 0n) return undefined;
  const packet = machine.packets.get(skb);
  if (packet === undefined) throw new VmFault('not a dynptr of an sk_buff');
  return packet;
}

/** As bpf_dynptr_check_off_len: both arguments are 32 bit wide. */
function rangeOf(packet: VmPacket, offset: bigint, length: bigint): { start: number; end: number } | undefined {
  const start = Number(BigInt.asUintN(32, offset));
  const end = start + Number(BigInt.asUintN(32, length));
  return end <= packet.bytes.length ? { start, end } : undefined;
}
