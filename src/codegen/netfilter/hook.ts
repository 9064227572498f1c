/** The program of one table at one hook. */

import { at, mov } from '../../bpf/assembly.ts';
import { buildProgram } from '../../bpf/builder.ts';
import type { Code, CodeItem } from '../../bpf/code.ts';
import type { KernelFacts } from '../../bpf/facts.ts';
import { R1, R7 } from '../../bpf/instruction.ts';
import type { ProgramSpec } from '../../bpf/program.ts';
import { removeUnreachable } from '../../bpf/prune.ts';
import type { Hook } from '../../packet/netfilter.ts';
import type { RejectWith, TablePolicy } from '../../policy/ir.ts';
import { emitBody } from './body.ts';
import { type ChainPlan, planChains } from './chain-plan.ts';
import { type FunctionName, type HookContext, loadSkb } from './context.ts';
import { createEmitter } from './emitter.ts';
import { FLOW_LAYOUTS } from './flow-word.ts';
import { CTX, MAX_SLOTS } from './layout.ts';
import { emitLog } from './log.ts';
import { deletePending, jumpIfNothingPending } from './pending.ts';
import { emitCounterBase, emitPrologue } from './prologue.ts';
import { emitLimit, emitNth } from './stateful.ts';
import { createTails, emitTails } from './tails.ts';
import { emitTcpOption } from './tcp-option.ts';
import { type Usage, usageOf } from './usage.ts';

/** Where a table's things lie in the maps of its generation. */
export interface TablePlaces {
  readonly firstCounter: number;
  readonly counterStride: number;
  readonly stateOffsets: readonly number[];
  readonly logOffsets: ReadonlyMap<number, number>;
}

export interface HookProgram {
  readonly program: ProgramSpec;
  readonly reject: readonly RejectWith[];
}

/** Too many chains call each other: the program's stack has no room for more ways back. */
export class ChainsTooDeep extends Error {
  readonly depth: number;
  constructor(depth: number) {
    super(`chains nest ${depth} deep`);
    this.name = 'ChainsTooDeep';
    this.depth = depth;
  }
}

/** Hooks that run in process context too, where a packet from an interrupt may come in between. */
const INTERRUPTIBLE: ReadonlySet<Hook> = new Set(['OUTPUT', 'POSTROUTING']);

/**
 * Compiles a hook; undefined when the table has no chain there. Throws MissingMember when the kernel lacks something that the
 * rules need, ChainsTooDeep.
 */
export function compileHook(
  policy: TablePolicy,
  hook: Hook,
  facts: KernelFacts,
  places: TablePlaces,
): HookProgram | undefined {
  const plan = planChains(policy, hook);
  if (plan === undefined) return undefined;
  if (plan.slots > MAX_SLOTS) throw new ChainsTooDeep(plan.slots);
  const usage = usageOf(policy, plan.chains.keys());
  const ctx: HookContext = {
    out: createEmitter(),
    facts,
    family: policy.family,
    hook,
    policy,
    ...places,
    atomicCounters: facts.preemptRt || INTERRUPTIBLE.has(hook),
    functions: new Set(),
    used: new Set(),
  };
  const code = emitProgram(ctx, plan, usage);
  return { program: buildProgram(programName(policy, hook), 'netfilter', code), reject: usage.reject };
}

/** `filter_INPUT`, within the 15 characters the kernel keeps. */
function programName(policy: TablePolicy, hook: Hook): string {
  return `${policy.table}_${hook}`.slice(0, 15);
}

/** The rules come first, because the prologue prepares what they turn out to use; then everything in its order. */
function emitProgram(ctx: HookContext, plan: ChainPlan, usage: Usage): Code {
  const tails = createTails(ctx);
  const layouts = FLOW_LAYOUTS[ctx.family];
  const kinds = usage.transport ? (['normal', 'odd'] as const) : (['plain'] as const);
  const copies = kinds.map((kind) => ({ label: ctx.out.label(kind), layout: layouts[kind] }));
  const rules = section(ctx, () => {
    for (const { label, layout } of copies) {
      ctx.out.emit(at(label));
      emitCounterBase(ctx, tails.abort);
      emitBody({ ...ctx, layout }, plan, tails);
    }
    emitTails(ctx, tails, plan.mode === 'loop');
    emitFunctions(ctx);
  });
  const [normal, odd = normal] = copies.map((copy) => copy.label);
  const prologue = section(ctx, () => {
    ctx.out.emit(mov.reg(CTX, R1));
    if (usage.reject.length > 0) emitStaleCheck(ctx);
    emitPrologue(ctx, usage.transport, usage.fields, { normal: normal!, odd: odd!, drop: tails.abort });
  });
  return removeUnreachable([...prologue, ...rules]);
}

/** What `emit` emits, taken out of the context's code. */
function section(ctx: HookContext, emit: () => void): readonly CodeItem[] {
  const start = ctx.out.code.length;
  emit();
  return ctx.out.code.splice(start);
}

/** An entry of an earlier packet in the same sk_buff must not speak for this one. */
function emitStaleCheck(ctx: HookContext): void {
  const fresh = ctx.out.label('fresh');
  ctx.out.emit(...jumpIfNothingPending(fresh), loadSkb(ctx, R7), ...deletePending(R7, fresh), at(fresh));
}

const FUNCTIONS = {
  limit: emitLimit,
  nth: emitNth,
  tcp_option: emitTcpOption,
  log: emitLog,
} as const satisfies Record<FunctionName, (ctx: HookContext) => void>;

function emitFunctions(ctx: HookContext): void {
  for (const name of ctx.functions) {
    ctx.out.emit(at(name));
    FUNCTIONS[name](ctx);
  }
}
