/**
 * Packets on their way to the REJECT bridge: a hash map from the address of the sk_buff to reject class + 1, and a number of
 * entries beside it, so that nobody looks there for nothing.
 */

import { add, atomic, call, jeq, jne, lddw, ldx, mov, stx } from '../../bpf/assembly.ts';
import type { CodeItem, Label } from '../../bpf/code.ts';
import { R0, R1, R2, R3, R4, R10 } from '../../bpf/instruction.ts';
import type { Family } from '../../packet/netfilter.ts';
import { REJECT_WITH, type RejectWith } from '../../policy/ir.ts';
import { MAP_NAMES } from '../compiled.ts';
import { HELPER, STACK } from './layout.ts';

/** What the map says of a packet with this answer: its class (position among the family's answers) + 1. */
export function rejectValue(family: Family, answer: RejectWith): number {
  const index = (REJECT_WITH[family] as readonly RejectWith[]).indexOf(answer);
  if (index === -1) throw new RangeError(`${answer} does not exist for ${family}`);
  return index + 1;
}

/** r2 = the key: the address in `skb`, stored on the stack. */
function storeKey(skb: number): readonly CodeItem[] {
  return [stx.dw(R10, STACK.key, skb), mov.reg(R2, R10), add.imm(R2, STACK.key)];
}

/** Jumps to `none` if the map is empty. Uses r1. */
export function jumpIfNothingPending(none: Label): readonly CodeItem[] {
  return [lddw.mapValue(R1, MAP_NAMES.pendingCount), ldx.dw(R1, R1, 0), jeq.imm(R1, 0, none)];
}

/** r0 = entry of the packet whose sk_buff is in `skb`, or 0. */
export function lookUpPending(skb: number): readonly CodeItem[] {
  return [...storeKey(skb), lddw.map(R1, MAP_NAMES.pending), call.helper(HELPER.mapLookup)];
}

/** Deletes the entry of the packet in `skb`; goes to `none` if there was none, else falls through with the number lowered. */
export function deletePending(skb: number, none: Label): readonly CodeItem[] {
  return [
    ...storeKey(skb),
    lddw.map(R1, MAP_NAMES.pending),
    call.helper(HELPER.mapDelete),
    jne.imm(R0, 0, none),
    ...addToCount(-1),
  ];
}

/** Enters the packet in `skb` with the value in the stack's value slot; jumps to `failed` if there is no room. */
export function insertPending(skb: number, value: number, failed: Label): readonly CodeItem[] {
  return [
    ...storeKey(skb),
    stx.w(R10, STACK.value, value),
    mov.reg(R3, R10),
    add.imm(R3, STACK.value),
    lddw.map(R1, MAP_NAMES.pending),
    mov.imm(R4, 0),
    call.helper(HELPER.mapUpdate),
    jne.imm(R0, 0, failed),
    ...addToCount(1),
  ];
}

function addToCount(difference: 1 | -1): readonly CodeItem[] {
  return [lddw.mapValue(R1, MAP_NAMES.pendingCount), mov.imm(R2, difference), atomic.add.dw(R1, 0, R2)];
}
