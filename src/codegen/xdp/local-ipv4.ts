/**
 * Whether an IPv4 address is one of this machine's, by the routing table `local` itself, which is asked first: the leaf of a local address
 * has the route of type local first (fib_find_node, fib_table_lookup). Without rules of one's own it is one trie with the table main.
 */

import { add, and, at, ja, jeq, jne, ldx, lsh, mov, rsh, xor } from '../../bpf/assembly.ts';
import type { Label } from '../../bpf/code.ts';
import { R1, R2, R7, R8, R10 } from '../../bpf/instruction.ts';
import { type HookContext, memberPlace } from '../netfilter/context.ts';
import { readKernel } from './kernel-memory.ts';

const RTN_LOCAL = 2;
const RT_TABLE_LOCAL = 255;
/** RTNH_F_DEAD, RTNH_F_LINKDOWN */
const [DEAD, LINKDOWN] = [1, 16];
/** Nodes on the way to a leaf: each decides at least one of the 32 bits. */
const MOST_NODES = 33;

export interface LocalTargets {
  /** The address is local, and packets to it are delivered. */
  readonly local: Label;
  /** It is not local. */
  readonly other: Label;
  /** It cannot be told. */
  readonly doubtful: Label;
}

/** `key`: place on the stack of the address as a number, u32. r8 = struct net; uses r0..r5, r7. */
export function jumpIfLocalIpv4(ctx: HookContext, key: number, { local, other, doubtful }: LocalTargets): void {
  const { out, facts } = ctx;
  const place = (name: Parameters<typeof memberPlace>[1]): number => memberPlace(facts, name).offset;
  const child = place('key_vector.tnode');
  const leaf = out.label('leaf');
  out.emit(
    ...readKernel('dw', R7, R8, place('net.ipv4.fib_table_hash')),
    ...readKernel('dw', R7, R7, RT_TABLE_LOCAL * 8),
    // Another table can have the same place in the hash.
    ...readKernel('w', R1, R7, place('fib_table.tb_id')),
    jne.imm(R1, RT_TABLE_LOCAL, doubtful),
    ...readKernel('dw', R7, R7, place('fib_table.tb_data')),
    ...readKernel('dw', R7, R7, child),
  );
  for (let node = 0; node < MOST_NODES; node++) {
    out.emit(
      jeq.imm(R7, 0, other),
      // u32 key, u8 pos, u8 bits
      ...readKernel('dw', R1, R7, place('key_vector.key')),
      mov.reg(R2, R1),
      rsh.imm(R2, 32),
      and.imm(R2, 63),
      ldx.w(0, R10, key),
      xor.reg(0, R1),
      mov.reg32(0, 0),
      rsh.reg(0, R2),
      rsh.imm(R1, 40),
      and.imm(R1, 63),
      mov.reg(R2, 0),
      rsh.reg(R2, R1),
      jne.imm(R2, 0, other),
      jeq.imm(R1, 0, leaf),
      lsh.imm(0, 3),
      add.reg(R7, 0),
      ...readKernel('dw', R7, R7, child),
    );
  }
  const route = 'fib_alias.fa_info';
  const bytes = (name: Parameters<typeof memberPlace>[1]) => [
    ...readKernel('w', R1, R7, place(name) & ~3),
    rsh.imm(R1, (place(name) & 3) * 8),
    and.imm(R1, 0xff),
  ];
  const next = 'fib_info.fib_nh';
  out.emit(
    ja(doubtful),
    at(leaf),
    ...readKernel('dw', R7, R7, place('key_vector.leaf')),
    jeq.imm(R7, 0, other),
    ...bytes('fib_alias.fa_slen'),
    jne.imm(R1, 0, other),
    ...bytes('fib_alias.fa_type'),
    jne.imm(R1, RTN_LOCAL, other),
    ...bytes('fib_alias.fa_dscp'),
    jne.imm(R1, 0, doubtful),
    ...readKernel('dw', R7, R7, place(route)),
    ...bytes('fib_info.fib_dead'),
    jne.imm(R1, 0, doubtful),
    ...readKernel('w', R1, R7, place('fib_info.fib_flags')),
    and.imm(R1, DEAD),
    jne.imm(R1, 0, doubtful),
    ...readKernel('dw', R1, R7, place('fib_info.nh')),
    jne.imm(R1, 0, doubtful),
    add.imm(R7, place(next)),
    ...readKernel('dw', R1, R7, place('fib_nh_common.nhc_lwtstate')),
    jne.imm(R1, 0, doubtful),
    ...bytes('fib_nh_common.nhc_flags'),
    and.imm(R1, DEAD | LINKDOWN),
    jne.imm(R1, 0, doubtful),
    ja(local),
  );
}
