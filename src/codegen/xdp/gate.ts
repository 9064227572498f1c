/**
 * What a gate is told by the one who applies the rules (firewall/early-gate.ts): whether everything that hangs on the family's netfilter hooks
 * is known not to touch packets that the rules drop, and how to notice that something else hangs there now.
 *
 *     u32 flags | u32 entries at PREROUTING, INPUT, FORWARD | u64 address of each of these three lists (struct nf_hook_entries)
 *     u64 address of the namespace's struct nf_conntrack_net | u64 address of nf_conntrack_max
 *     u64 address of the first rule of routing | u64 the rule that asks for table local, if it is that one
 *     for each of the three hooks GATE_TABLES times: u64 address | u64 what must lie there (the kernel's own tables; 0: nothing)
 *
 * All zero: closed.
 */

import { and, at, ja, jeq, jne, jset, lddw, ldx, rsh } from '../../bpf/assembly.ts';
import type { CodeItem, Label } from '../../bpf/code.ts';
import { R1, R2, R8 } from '../../bpf/instruction.ts';
import type { MapSpec } from '../../bpf/program.ts';
import type { Family } from '../../packet/netfilter.ts';
import { type HookContext, memberPlace } from '../netfilter/context.ts';
import { readKernel } from './kernel-memory.ts';

/** Hooks in the order of their numbers (NF_INET_PRE_ROUTING and so on). */
export const GATE_HOOKS = ['PREROUTING', 'INPUT', 'FORWARD'] as const;
export type GateHook = (typeof GATE_HOOKS)[number];

/** The hooks that may be followed, and whether connections are tracked. */
export const GATE_FLAGS = { PREROUTING: 1, INPUT: 2, FORWARD: 4, tracked: 8 } as const;

/** Byte offsets. */
export const GATE = {
  flags: 0,
  counts: 4,
  lists: 16,
  conntrack: 40,
  most: 48,
  rules: 56,
  tables: 72,
  bytes: 216,
} as const;
/** Tables of the kernel that can hang on one hook beside nat. */
export const GATE_TABLES = 3;

export const GATE_MAP = 'bf_early_gate';

export function gateMap(): MapSpec {
  return { name: GATE_MAP, type: 'array', keySize: 4, valueSize: GATE.bytes, maxEntries: 1 };
}

/** To `pass` unless the hook may be followed and has what it had. r8 = struct net; uses r0..r5. */
export function unlessHookKnown(ctx: HookContext, hook: GateHook, pass: Label): readonly CodeItem[] {
  const number = GATE_HOOKS.indexOf(hook);
  const known = ctx.out.label('known');
  const same = ctx.out.label('same');
  const tables = Array.from({ length: GATE_TABLES }, (_, table): readonly CodeItem[] => {
    const place = GATE.tables + (number * GATE_TABLES + table) * 16;
    return [
      lddw.mapValue(R1, GATE_MAP),
      ldx.dw(R1, R1, place),
      jeq.imm(R1, 0, same),
      ...readKernel('dw', R1, R1, 0),
      lddw.mapValue(R2, GATE_MAP),
      ldx.dw(R2, R2, place + 8),
      jne.reg(R1, R2, pass),
    ];
  }).flat();
  return [
    lddw.mapValue(R1, GATE_MAP),
    ldx.w(R1, R1, GATE.flags),
    jset.imm(R1, GATE_FLAGS[hook], known),
    ja(pass),
    at(known),
    ...readKernel('dw', R1, R8, memberPlace(ctx.facts, listsOf(ctx.family)).offset + 8 * number),
    lddw.mapValue(R2, GATE_MAP),
    ldx.dw(R2, R2, GATE.lists + 8 * number),
    jne.reg(R1, R2, pass),
    jeq.imm(R1, 0, same),
    ...readKernel('h', R1, R1, 0),
    lddw.mapValue(R2, GATE_MAP),
    ldx.w(R2, R2, GATE.counts + 4 * number),
    jne.reg(R1, R2, pass),
    ...tables,
    at(same),
  ];
}

/** To `pass` where there are rules of routing of one's own and the first is not the one that asks for table local. Uses r0..r5. */
export function unlessLocalFirst(ctx: HookContext, pass: Label): readonly CodeItem[] {
  const usual = ctx.out.label('usual');
  const { offset } = memberPlace(ctx.facts, customRules(ctx.family));
  return [
    ...readKernel('w', R1, R8, offset & ~3),
    rsh.imm(R1, (offset & 3) * 8),
    and.imm(R1, 0xff),
    jeq.imm(R1, 0, usual),
    lddw.mapValue(R1, GATE_MAP),
    ldx.dw(R1, R1, GATE.rules),
    jeq.imm(R1, 0, pass),
    ...readKernel('dw', R1, R1, 0),
    lddw.mapValue(R2, GATE_MAP),
    ldx.dw(R2, R2, GATE.rules + 8),
    jne.reg(R1, R2, pass),
    at(usual),
  ];
}

function customRules(family: Family): 'net.ipv4.fib_has_custom_rules' | 'net.ipv6.fib6_has_custom_rules' {
  return family === 'ipv4' ? 'net.ipv4.fib_has_custom_rules' : 'net.ipv6.fib6_has_custom_rules';
}

function listsOf(family: Family): 'net.nf.hooks_ipv4' | 'net.nf.hooks_ipv6' {
  return `net.nf.hooks_${family}`;
}
