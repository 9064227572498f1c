/** What the parts of one hook program's compiler share. */

import { call, ldx, st } from '../../bpf/assembly.ts';
import type { CodeItem, Label } from '../../bpf/code.ts';
import type { Enumerator } from '../../bpf/environment-members.ts';
import type { KernelFacts, MemberPlace, NeededMember } from '../../bpf/facts.ts';
import { R10 } from '../../bpf/instruction.ts';
import type { GlobalArguments } from '../../bpf/program.ts';
import type { DeviceKind } from '../../device/hook.ts';
import type { Family, Hook } from '../../packet/netfilter.ts';
import type { TablePolicy } from '../../policy/ir.ts';
import type { Emitter } from './emitter.ts';
import type { FlowLayout } from './flow-word.ts';
import { CTX } from './layout.ts';
import type { TableRuns } from './lookup/plan.ts';
import type { StagedCells } from './staged.ts';
import type { NamedMap } from './state/named-map.ts';

export interface HookContext {
  readonly out: Emitter;
  readonly facts: KernelFacts;
  readonly family: Family;
  readonly hook: Hook;
  readonly policy: TablePolicy;
  /** Index of the table's first counter in the generation's counter map. */
  readonly firstCounter: number;
  /** Bytes between the counters of two CPUs. */
  readonly counterStride: number;
  /** Chains whose counters are changed with single instructions (see counters.ts). */
  readonly atomicChains: ReadonlySet<number>;
  /** Byte offsets of the table's state objects in the state map. */
  readonly stateOffsets: readonly number[];
  /** Chains with rules that are decided by look-ups. */
  readonly runs: TableRuns;
  /** Byte offsets of log records (log-record.ts) by counter of the rule. */
  readonly logOffsets: ReadonlyMap<number, number>;
  /** Number of the table's effect 0 among all effects, as the lists of packets have it. */
  readonly effectOffset: number;
  /** Rules read marks that effects before them can change: they lie in cells of the stack. */
  readonly simulatesMarks: boolean;
  /** Effects can make packets longer, which counters behind them see. */
  readonly lengthens: boolean;
  /** Its packets can be suspended (staged.ts). */
  readonly staged?: {
    /** What the table's question 0 goes by. */
    readonly first: number;
    /** How often at most. */
    readonly count: number;
    readonly cells: StagedCells;
    /** Numbers of the answers that packets take with them (asked.ts). */
    readonly answers: readonly number[];
  };
  /** Return slots that have to give way to the frames of scans. */
  readonly slotsForScans: number;
  /** Functions that the program calls; they are emitted once, behind it. */
  readonly functions: Map<Label, (ctx: HookContext) => void>;
  /** Those of them that the verifier looks at on their own, once: how many numbers they take. */
  readonly globals: Map<Label, GlobalArguments>;
  /** Size of the state map's value. */
  readonly stateBytes: number;
  /** For each of the policy's states the shared table behind it and its map. */
  readonly named: readonly (NamedMap | undefined)[];
  /**
   * An early program (codegen/xdp): counters are noted down, and added to when the packet is dropped. Where a full list leads,
   * and whether the packet may have interrupted a task that counts on the same rules (counters.ts).
   */
  readonly early?: { readonly full: Label; readonly interrupts: boolean };
  /** A program on a device (codegen/device): what it knows of its packet lies in front of its counters. */
  readonly device?: { readonly kind: DeviceKind };
  /** Things the rules turned out to use, which the prologue then prepares. */
  readonly used: Set<'transportOffset' | 'clock' | 'summary'>;
}

/** Context of one copy of the rules: the same rules are compiled once for ordinary packets and once for odd ones. */
export interface BodyContext extends HookContext {
  readonly layout: FlowLayout;
  /** Which packets come here (assume.ts). */
  readonly packets: 'ordinary' | 'odd' | 'all';
  /** Suspends the packet for a question; the code behind it begins with the answer, 0 or not, in r4. */
  readonly suspend?: (question: number) => void;
  /** In code that rows of a look-up share (classify/shared-code.ts). */
  readonly parameter?: RowParameter;
}

/** What a row says of its rule. */
export interface RowParameter {
  /** The state whose place in the state map it is, unless it is something else. */
  readonly first: number | undefined;
  /** dst = the parameter, any number of 32 bits. The label is never gone to. */
  readonly load: (dst: number, scratch: number, never: Label) => readonly CodeItem[];
}

/** The running kernel has no such member: the program cannot be made for it. */
export class MissingMember extends Error {
  readonly member: string;
  constructor(member: string) {
    super(`this kernel has no ${member}`);
    this.name = 'MissingMember';
    this.member = member;
  }
}

export function memberPlace(facts: KernelFacts, name: NeededMember): MemberPlace {
  const place = facts.members[name];
  if (place === undefined) throw new MissingMember(name);
  return place;
}

export function enumeratorOf(facts: KernelFacts, name: Enumerator): number {
  const value = facts.enumerators[name];
  if (value === undefined) throw new MissingMember(name);
  return value;
}

/** Loads a whole member of at most 8 bytes (no bit field) through the pointer in `base`. */
export function loadMember(ctx: HookContext, dst: number, base: number, name: NeededMember): CodeItem {
  const { offset, size } = memberPlace(ctx.facts, name);
  switch (size) {
    case 1:
      return ldx.b(dst, base, offset);
    case 2:
      return ldx.h(dst, base, offset);
    case 4:
      return ldx.w(dst, base, offset);
    case 8:
      return ldx.dw(dst, base, offset);
    default:
      throw new RangeError(`${name} has ${size} bytes`);
  }
}

/** dst = skb, a trusted pointer: its members are plain loads. */
export function loadSkb(ctx: HookContext, dst: number): CodeItem {
  return loadMember(ctx, dst, CTX, 'bpf_nf_ctx.skb');
}

/** dst = state (struct nf_hook_state). */
export function loadState(ctx: HookContext, dst: number): CodeItem {
  return loadMember(ctx, dst, CTX, 'bpf_nf_ctx.state');
}

/** Calls the local function `name`, which `emit` emits behind the program: once, whoever calls it. */
export function callFunction(ctx: HookContext, name: Label, emit: (ctx: HookContext) => void): CodeItem {
  ctx.functions.set(name, emit);
  return call.local(name);
}

/**
 * The same for a function that takes `args` numbers in r1.. and returns one: calls cost the verifier nothing, and what it does in
 * loops does not meet the caller's state.
 */
export function callGlobal(ctx: HookContext, name: Label, args: number, emit: (ctx: HookContext) => void): CodeItem {
  ctx.globals.set(name, { args });
  return callFunction(ctx, name, emit);
}

/** The same for a function whose first argument, in r1, is the program's context; `args` numbers follow. */
export function callOnContext(ctx: HookContext, name: Label, args: number, emit: (ctx: HookContext) => void): CodeItem {
  ctx.globals.set(name, { context: true, args });
  return callFunction(ctx, name, emit);
}

/** Zeros for scratch slots (SCRATCH of layout.ts) that have been used. */
export function releaseScratch(ctx: HookContext, ...offsets: readonly number[]): void {
  for (const offset of offsets) ctx.out.emit(st.dw(R10, offset, 0));
}
