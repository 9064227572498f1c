/**
 * Effects in a hook program (policy/effect.ts): a packet's list lies in a hash map under the address of its sk_buff.
 *
 *     u16 next     entries that the kernel has begun (always 0 here)
 *     u16 count    entries
 *     u16 ids[64]  the base of the generation + SPECIAL or FIRST_EFFECT + number of the effect
 *
 * The base tells the effects of a generation from those of the one before, which are in the kernel's table together while
 * generations change. A traversal that ends with DROP or REJECT behind effects says so in the list and accepts the packet: the kernel
 * ends it once everything before has been carried out.
 */

import {
  add,
  and,
  at,
  atomic,
  call,
  ja,
  jeq,
  jge,
  jne,
  lddw,
  ldx,
  lsh,
  mov,
  rsh,
  st,
  stx,
  xor,
} from '../../bpf/assembly.ts';
import type { CodeItem, Label } from '../../bpf/code.ts';
import { R0, R1, R2, R3, R4, R10 } from '../../bpf/instruction.ts';
import type { MapSpec } from '../../bpf/program.ts';
import { type Effect, LONGER, MAX_LIST, type MarkChange } from '../../policy/effect.ts';
import type { Expr, PolicyRule, TablePolicy } from '../../policy/ir.ts';
import { differentRules } from '../../policy/policy-columns.ts';
import { MAP_NAMES } from '../compiled.ts';
import { assume, ORDINARY } from './assume.ts';
import type { Target } from './branch.ts';
import { type BodyContext, type HookContext, loadSkb, releaseScratch } from './context.ts';
import { loadEntryMark, loadEntryPresent, loadPacketMark } from './fields/marks.ts';
import { HELPER, STACK } from './layout.ts';
import { jumpIf } from './test.ts';

/** Entries that end a traversal; a REJECT is `reject` + the value that the map of pending packets has for it. */
export const SPECIAL = { drop: 1, reject: 2 } as const;
/** The first number that is an effect. */
export const FIRST_EFFECT = 16;
/** Bases of generations differ in this bit. */
export const BASE_BIT = 14;
/** Effects that a generation of one family can have. */
export const MOST_EFFECTS = (1 << BASE_BIT) - FIRST_EFFECT;

export const LIST = { next: 0, count: 2, ids: 4 } as const;
const LIST_BYTES = LIST.ids + 2 * MAX_LIST;

/** Lists of packets between our verdict and the kernel's table: one for each softirq or task. */
export const EFFECT_MAPS = [
  { name: MAP_NAMES.effects, type: 'hash', keySize: 8, valueSize: LIST_BYTES, maxEntries: 4096 },
  { name: MAP_NAMES.effectCount, type: 'array', keySize: 4, valueSize: 8, maxEntries: 1 },
  { name: MAP_NAMES.emptyList, type: 'array', keySize: 4, valueSize: LIST_BYTES, maxEntries: 1 },
] as const satisfies readonly MapSpec[];

/** The map that says which base a generation of a family has: u64. */
export function effectBaseMap(base: number): MapSpec {
  const initial = new Uint8Array(8);
  new DataView(initial.buffer).setBigUint64(0, BigInt(base), true);
  return { name: MAP_NAMES.effectBase, type: 'array', keySize: 4, valueSize: 8, maxEntries: 1, initial };
}

/** Whether rules that the given chains hold have effects. */
export function hasEffects(policy: TablePolicy, chains: Iterable<number>): boolean {
  return [...chains].some((chain) =>
    differentRules(policy.chains[chain]!).some(({ action }) => action.kind === 'effect'),
  );
}

/** Jumps to `none` if no packet has a list. Uses r1. */
export function jumpIfNoLists(none: Label): readonly CodeItem[] {
  return [lddw.mapValue(R1, MAP_NAMES.effectCount), ldx.dw(R1, R1, 0), jeq.imm(R1, 0, none)];
}

/** r0 = list of the packet whose sk_buff is in `skb`, or 0. */
export function lookUpList(skb: number): readonly CodeItem[] {
  return [...storeKey(skb), lddw.map(R1, MAP_NAMES.effects), call.helper(HELPER.mapLookup)];
}

/** Deletes the list of the packet in `skb`; goes to `none` if there was none. */
export function deleteList(skb: number, none: Label): readonly CodeItem[] {
  return [
    ...storeKey(skb),
    lddw.map(R1, MAP_NAMES.effects),
    call.helper(HELPER.mapDelete),
    jne.imm(R0, 0, none),
    ...addToCount(-1),
  ];
}

function storeKey(skb: number): readonly CodeItem[] {
  return [stx.dw(R10, STACK.key, skb), mov.reg(R2, R10), add.imm(R2, STACK.key)];
}

function addToCount(difference: 1 | -1): readonly CodeItem[] {
  return [lddw.mapValue(R1, MAP_NAMES.effectCount), mov.imm(R2, difference), atomic.add.dw(R1, 0, R2)];
}

/** Appends the id in r4 to the list in r0; goes to `full` if there is no room. Uses r1 and r2. */
function append(full: Label): readonly CodeItem[] {
  return [
    ldx.h(R1, R0, LIST.count),
    jge.imm(R1, MAX_LIST, full),
    mov.reg(R2, R1),
    add.imm(R2, 1),
    stx.h(R0, LIST.count, R2),
    lsh.imm(R1, 1),
    add.reg(R0, R1),
    stx.h(R0, LIST.ids, R4),
  ];
}

/** r4 = base of the generation + the number in r4. Uses r1. */
function addBase(): readonly CodeItem[] {
  return [lddw.mapValue(R1, MAP_NAMES.effectBase), ldx.dw(R1, R1, 0), add.reg(R4, R1)];
}

/** Says which effect a rule has; the block is entered by a jump, as that of LOG. */
export function storeEffect(ctx: BodyContext, effect: number): void {
  ctx.out.emit(st.w(R10, STACK.logRecord, ctx.effectOffset + effect));
}

/** The block that all rules with effects share: puts the effect into the packet's list. `failed`: there is no room. */
export function emitEffect(ctx: BodyContext, failed: Label): void {
  const { out } = ctx;
  const known = out.label('list');
  out.emit(
    loadSkb(ctx, R1),
    ...lookUpList(R1),
    jne.imm(R0, 0, known),
    mov.reg(R2, R10),
    add.imm(R2, STACK.key),
    lddw.mapValue(R3, MAP_NAMES.emptyList),
    lddw.map(R1, MAP_NAMES.effects),
    mov.imm(R4, 0),
    call.helper(HELPER.mapUpdate),
    jne.imm(R0, 0, failed),
    ...addToCount(1),
    loadSkb(ctx, R1),
    ...lookUpList(R1),
    jeq.imm(R0, 0, failed),
    at(known),
    ldx.w(R4, R10, STACK.logRecord),
    ...addBase(),
    ...append(failed),
  );
  releaseScratch(ctx, STACK.key);
}

/**
 * The end of a traversal with DROP or REJECT (`number`: SPECIAL, or `add` r8 for a REJECT): if the packet has a list, the end goes
 * there and the packet on; else `without`.
 */
export function endList(
  skb: number,
  number: number,
  value: number | undefined,
  without: Label,
  failed: Label,
  accepted: Label,
): readonly CodeItem[] {
  return [
    ...jumpIfNoLists(without),
    ...lookUpList(skb),
    jeq.imm(R0, 0, without),
    mov.imm(R4, number),
    ...(value === undefined ? [] : [add.reg(R4, value)]),
    ...addBase(),
    ...append(failed),
    ja(accepted),
  ];
}

/** Puts the marks of the packet and of its connection where rules read them and effects change them. */
export function beginMarks(ctx: HookContext): void {
  if (ctx.lengthens) ctx.out.emit(st.w(R10, STACK.longer, 0));
  if (!ctx.simulatesMarks) return;
  loadPacketMark(ctx);
  ctx.out.emit(stx.w(R10, STACK.mark, R1));
  loadEntryMark(ctx);
  ctx.out.emit(stx.w(R10, STACK.entryMark, R1));
}

/** What is decided of packets behind the effect: that they end here (`pass`), or are longer now. */
export function emitConsequences(ctx: BodyContext, effect: Effect, pass: Label): void {
  const { out } = ctx;
  const known = ctx.packets === 'ordinary' ? ORDINARY[ctx.family] : {};
  const unless = (expr: Expr, hint: string, leaves: boolean, then: () => void): void => {
    const next: Target = { label: out.label(hint), leaves: false, elseLeaves: leaves };
    jumpIf(ctx, assume(expr, known), false, next);
    then();
    out.emit(at(next.label));
  };
  if (effect.terminal) out.emit(ja(pass));
  else {
    if (effect.ends !== undefined) unless(effect.ends, 'goeson', true, () => out.emit(ja(pass)));
    if (effect.lengthens !== undefined)
      unless(effect.lengthens, 'aslong', false, () => out.emit(st.w(R10, STACK.longer, LONGER)));
  }
}

/** What an effect does to marks, for the rules behind it (changeMarks of policy/effect.ts). */
export function emitMarkChange(ctx: BodyContext, rule: PolicyRule): void {
  const effect = rule.action.kind === 'effect' ? ctx.policy.effects![rule.action.effect] : undefined;
  if (effect?.change === undefined || !ctx.simulatesMarks) return;
  const { out } = ctx;
  const { change } = effect;
  if (change.kind === 'mark') {
    out.emit(...combine(STACK.mark, change.mask, [mov.imm32(R2, change.value | 0)], STACK.mark));
    return;
  }
  const without = out.label('noentry');
  loadEntryPresent(ctx);
  out.emit(jeq.imm(R1, 0, without), ...changeWithEntry(change), at(without));
}

function changeWithEntry(change: Exclude<MarkChange, { kind: 'mark' }>): readonly CodeItem[] {
  switch (change.kind) {
    case 'connmark':
      return combine(STACK.entryMark, change.mask, [mov.imm32(R2, change.value | 0)], STACK.entryMark, change.shift);
    case 'save':
      return combine(STACK.entryMark, change.ctmask, taken(STACK.mark, change.nfmask, change.shift), STACK.entryMark);
    case 'restore':
      return combine(STACK.mark, change.nfmask, taken(STACK.entryMark, change.ctmask, change.shift), STACK.mark);
  }
}

/** r2 = shifted(cell & mask) */
function taken(cell: number, mask: number, shift: number): readonly CodeItem[] {
  return [ldx.w(R2, R10, cell), and.imm32(R2, mask | 0), ...shifted(R2, shift)];
}

function shifted(register: number, shift: number): readonly CodeItem[] {
  if (shift === 0) return [];
  return [shift > 0 ? lsh.imm32(register, shift) : rsh.imm32(register, -shift)];
}

/** cell = shifted((cell & ~mask) ^ r2) */
function combine(from: number, mask: number, value: readonly CodeItem[], to: number, shift = 0): readonly CodeItem[] {
  return [
    ...value,
    ldx.w(R1, R10, from),
    and.imm32(R1, ~mask),
    xor.reg32(R1, R2),
    ...shifted(R1, shift),
    stx.w(R10, to, R1),
  ];
}
