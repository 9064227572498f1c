/** The program of one table at one hook. */

import { at, mov } from '../../bpf/assembly.ts';
import { buildProgram } from '../../bpf/builder.ts';
import type { Code, CodeItem, Label } from '../../bpf/code.ts';
import type { KernelFacts } from '../../bpf/facts.ts';
import { R1, R7 } from '../../bpf/instruction.ts';
import type { ProgramSpec } from '../../bpf/program.ts';
import { removeUnreachable } from '../../bpf/prune.ts';
import type { Hook } from '../../packet/netfilter.ts';
import type { RejectWith, TablePolicy } from '../../policy/ir.ts';
import { emitBody } from './body.ts';
import { planChains } from './chain-plan.ts';
import { type FunctionName, type HookContext, loadSkb } from './context.ts';
import { createEmitter } from './emitter.ts';
import { FLOW_LAYOUTS, type FlowLayout } from './flow-word.ts';
import { ADDRESSES, CTX, FLOW, MAX_SLOTS } from './layout.ts';
import { deletePending, jumpIfNothingPending } from './pending.ts';
import { emitCounterBase, emitPlain, emitPrologue } from './prologue.ts';
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
  const chains = planChains(policy, hook)?.chains;
  if (chains === undefined) return undefined;
  const usage = usageOf(policy, chains.keys());
  for (const shape of shapes(usage)) {
    const code = emitProgram(createContext(policy, hook, facts, places), usage, shape);
    if (code === undefined) continue;
    return { program: buildProgram(programName(policy, hook), 'netfilter', code), reject: usage.reject };
  }
  throw new Error('the last shape of a program always fits');
}

/** How a program is made; what cannot be verified in the first way is made in the next. */
interface Shape {
  readonly copies: readonly FlowLayout['kind'][];
  /** Loop mode even where exact mode looks cheap. */
  readonly loop: boolean;
}

/** From this many instructions on, one copy of the rules has to do for all packets: the verifier looks at a million at most. */
const BIG = 350_000;

function shapes(usage: Usage): readonly Shape[] {
  const ways: readonly (readonly FlowLayout['kind'][])[] = usage.transport ? [['normal', 'odd'], ['odd']] : [['plain']];
  return ways.flatMap((copies) => [
    { copies, loop: false },
    { copies, loop: true },
  ]);
}

function createContext(policy: TablePolicy, hook: Hook, facts: KernelFacts, places: TablePlaces): HookContext {
  return {
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
}

/** `filter_INPUT`, within the 15 characters the kernel keeps. */
function programName(policy: TablePolicy, hook: Hook): string {
  return `${policy.table}_${hook}`.slice(0, 15);
}

/**
 * The rules come first, because the prologue prepares what they turn out to use; then everything in its order. Undefined when
 * the verifier would not take this shape.
 */
function emitProgram(ctx: HookContext, usage: Usage, shape: Shape): Code | undefined {
  const plan = planChains(ctx.policy, ctx.hook, shape.loop)!;
  if (plan.slots > MAX_SLOTS) throw new ChainsTooDeep(plan.slots);
  const tails = createTails(ctx);
  const copies = shape.copies.map((kind) => ({
    kind,
    label: ctx.out.label(kind),
    layout: FLOW_LAYOUTS[ctx.family][kind],
  }));
  const labelOf = (kind: FlowLayout['kind']): Label | undefined => copies.find((copy) => copy.kind === kind)?.label;
  const limit = copies.length > 1 ? BIG : Number.POSITIVE_INFINITY;
  let fits = true;
  const rules = section(ctx, () => {
    for (const { label, layout } of copies) {
      if (!fits) return;
      ctx.out.emit(at(label));
      emitCounterBase(ctx, tails.abort);
      fits = emitBody({ ...ctx, layout }, plan, tails, limit);
    }
    emitTails(ctx, tails, plan.mode === 'loop');
    emitFunctions(ctx);
  });
  if (!fits) return undefined;
  const [normal, odd] = [labelOf('normal'), labelOf('odd')];
  const prologue = section(ctx, () => {
    ctx.out.emit(mov.reg(CTX, R1));
    // Logging saves both, whether or not a rule has a use for them.
    if (usage.log) ctx.out.emit(mov.imm(ADDRESSES, 0), mov.imm(FLOW, 0));
    if (usage.reject.length > 0) emitStaleCheck(ctx);
    if (odd === undefined) emitPlain(ctx, usage.fields);
    else emitPrologue(ctx, usage.fields, { odd, ...(normal === undefined ? {} : { normal }) });
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
  tcp_option: emitTcpOption,
} as const satisfies Record<FunctionName, (ctx: HookContext) => void>;

function emitFunctions(ctx: HookContext): void {
  for (const name of ctx.functions) {
    ctx.out.emit(at(name));
    FUNCTIONS[name](ctx);
  }
}
