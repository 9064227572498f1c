/** The program of one table at one hook. */

import { at, mov } from '../../bpf/assembly.ts';
import { buildProgram } from '../../bpf/builder.ts';
import type { Code, CodeItem, Label } from '../../bpf/code.ts';
import type { KernelFacts } from '../../bpf/facts.ts';
import { R1, R7 } from '../../bpf/instruction.ts';
import type { ProgramSpec } from '../../bpf/program.ts';
import { removeUnreachable } from '../../bpf/prune.ts';
import type { Hook } from '../../packet/netfilter.ts';
import { effectsAt, mostEffects } from '../../policy/effect-paths.ts';
import type { RejectWith, TablePolicy } from '../../policy/ir.ts';
import { ruleSequence } from '../../policy/policy-columns.ts';
import { mostStaged } from '../../policy/staged.ts';
import type { CompiledStages, HookEffect } from '../compiled.ts';
import { slotsBeside, takeAnswers } from './asked.ts';
import { emitBody } from './body.ts';
import { type ChainPlan, planChains, reachableChains } from './chain-plan.ts';
import { type BodyContext, type HookContext, loadSkb } from './context.ts';
import { beginMarks, deleteList, jumpIfNoLists } from './effects.ts';
import { createEmitter } from './emitter.ts';
import { prepareClock } from './fields/clock.ts';
import { FLOW_LAYOUTS, type FlowLayout } from './flow-word.ts';
import { ADDRESSES, CTX, FLOW } from './layout.ts';
import { frameSlots, type LookupFrame, lookupFrame, widest } from './lookup/frame.ts';
import { runCost, runsOf, type TableRuns } from './lookup/plan.ts';
import { deletePending, jumpIfNothingPending } from './pending.ts';
import { emitCounterBase, emitPlain, emitPrologue } from './prologue.ts';
import { beginOrResume, STAGED_SLOTS, stagedCells } from './staged.ts';
import { createTails, emitTails } from './tails.ts';
import { type Usage, usageOf } from './usage.ts';

/** Where a table's things lie in the maps of its generation. */
export interface TablePlaces {
  readonly firstCounter: number;
  readonly counterStride: number;
  readonly stateOffsets: readonly number[];
  readonly logOffsets: ReadonlyMap<number, number>;
  readonly stateBytes: number;
  readonly named: HookContext['named'];
  readonly effectOffset: number;
  /** What the table's staged question 0 goes by. */
  readonly stagedOffset: number;
  /** Chains with rules that are decided by look-ups. */
  readonly runs: TableRuns;
}

export interface HookProgram {
  readonly program: ProgramSpec;
  /** See CompiledHook. */
  readonly fallback?: () => ProgramSpec | undefined;
  readonly reject: readonly RejectWith[];
  readonly effects: readonly HookEffect[];
  readonly listLength: number;
  readonly answers: readonly number[];
  /** How often its packets can be suspended, and for which questions; absent: never. */
  readonly stages?: Omit<CompiledStages, 'index'>;
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

/** Scans that differ are functions, of which the verifier takes so many besides the program itself (BPF_MAX_SUBPROGS). */
export const MOST_FUNCTIONS = 255;

/** The rules search packets in more different ways than a program has room for. */
export class TooManyFunctions extends Error {
  readonly count: number;
  constructor(count: number) {
    super(`${count} functions`);
    this.name = 'TooManyFunctions';
    this.count = count;
  }
}

/** Hooks that run in process context too. */
const INTERRUPTIBLE = ['OUTPUT', 'POSTROUTING'] as const satisfies readonly Hook[];

/** Chains that are counted atomically: all that an interruptible hook can reach; see counters.ts. */
function atomicChains(policy: TablePolicy, facts: KernelFacts): ReadonlySet<number> {
  if (facts.preemptRt) return new Set(policy.chains.keys());
  return new Set(INTERRUPTIBLE.flatMap((hook) => reachableChains(policy, hook)));
}

/**
 * Compiles a hook; undefined when the table has no chain there. `force`: this shape and no other. Throws MissingMember when the kernel lacks something that the
 * rules need, ChainsTooDeep, TooManyFunctions.
 */
export function compileHook(
  policy: TablePolicy,
  hook: Hook,
  facts: KernelFacts,
  places: TablePlaces,
  force?: Shape,
): HookProgram | undefined {
  const chains = planChains(policy, hook)?.chains;
  if (chains === undefined) return undefined;
  const usage = usageOf(policy, chains.keys());
  for (const shape of force === undefined ? SHAPES : [force]) {
    const ctx = createContext(policy, hook, facts, places, usage);
    const code = emitProgram(ctx, usage, shape);
    if (code === undefined) continue;
    if (ctx.functions.size > MOST_FUNCTIONS) throw new TooManyFunctions(ctx.functions.size);
    return {
      program: buildProgram(programName(policy, hook), 'netfilter', code, ctx.globals),
      // The verifier can take chains that it sees twice in the same state for a circle; through the loop head it does not.
      ...(force === undefined && !shape.loop
        ? { fallback: () => compileHook(policy, hook, facts, places, { ...shape, loop: true })?.program }
        : {}),
      reject: usage.reject,
      effects: effectsAt(policy, hook).map((number) => ({
        number: places.effectOffset + number,
        index: number,
        effect: policy.effects![number]!,
      })),
      listLength: usage.effects ? mostEffects(policy, hook) + 1 : 0,
      answers: usage.answers,
      ...(ctx.staged === undefined ? {} : { stages: { count: ctx.staged.count, questions: usage.staged } }),
    };
  }
  throw new Error('no shape fits the program');
}

/** How a program is made. */
export interface Shape {
  /** One copy of the rules for ordinary packets and one for odd ones, or one for all. */
  readonly copies: 'two' | 'one';
  /** Loop mode even where exact mode looks cheap (chain-plan.ts). */
  readonly loop: boolean;
  /** In loop mode: branches that may wait before the walk goes through the loop head. */
  readonly cutAfter: number;
}

/** From this many instructions on, one copy of the rules has to do for all packets: the verifier looks at a million at most. */
const BIG = 350_000;
/** The verifier remembers at most 8,192 branches for later, and shared chains can add to what their callers leave. */
const CUT_AFTER = 2500;

/** Tried in this order; the last always fits, as far as can be told before the verifier has seen it. */
export const SHAPES: readonly Shape[] = [
  { copies: 'two', loop: false, cutAfter: CUT_AFTER },
  { copies: 'two', loop: true, cutAfter: CUT_AFTER },
  { copies: 'one', loop: false, cutAfter: CUT_AFTER },
  { copies: 'one', loop: true, cutAfter: CUT_AFTER },
];

/** A copy of the rules: the kind of flow word it reads, and the packets that come to it. */
type Copy = Pick<BodyContext, 'packets'> & { readonly kind: FlowLayout['kind'] };

function copiesOf(usage: Usage, shape: Shape): readonly Copy[] {
  if (!usage.transport) return [{ kind: 'plain', packets: 'all' }];
  if (shape.copies === 'one') return [{ kind: 'odd', packets: 'all' }];
  return [
    { kind: 'normal', packets: 'ordinary' },
    { kind: 'odd', packets: 'odd' },
  ];
}

function createContext(
  policy: TablePolicy,
  hook: Hook,
  facts: KernelFacts,
  places: TablePlaces,
  usage: Usage,
): HookContext {
  return {
    out: createEmitter(),
    facts,
    family: policy.family,
    hook,
    policy,
    ...places,
    lengthens: usage.lengthens,
    simulatesMarks: usage.effects && (usage.log || usage.fields.has('meta.mark') || usage.fields.has('ct.mark')),
    atomicChains: atomicChains(policy, facts),
    slotsForScans: usage.slotsForScans,
    ...stagedOf(policy, hook, places, usage),
    functions: new Map(),
    globals: new Map(),
    used: new Set(),
  };
}

function stagedOf(policy: TablePolicy, hook: Hook, places: TablePlaces, usage: Usage): Pick<HookContext, 'staged'> {
  if (usage.staged.length === 0) return {};
  const staged = {
    first: places.stagedOffset,
    count: mostStaged(policy, hook),
    cells: stagedCells(slotsFor(usage)),
    answers: usage.answers,
  };
  return { staged };
}

/** Return slots that a program has. */
function slotsFor(usage: Usage): number {
  const room = slotsBeside(usage.answers) - usage.slotsForScans;
  return usage.staged.length === 0 ? room : room - STAGED_SLOTS;
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
  const room = slotsFor(usage);
  const plan = planFor(ctx, usage, shape, room);
  if (plan.slots > room) throw new ChainsTooDeep(plan.slots);
  const frame = frameFor(ctx, plan, room);
  const tails = createTails(ctx);
  const copies = copiesOf(usage, shape).map((copy) => ({
    ...copy,
    label: ctx.out.label(copy.kind),
    layout: FLOW_LAYOUTS[ctx.family][copy.kind],
  }));
  const labelOf = (kind: FlowLayout['kind']): Label | undefined => copies.find((copy) => copy.kind === kind)?.label;
  const limit = copies.length > 1 ? BIG : Number.POSITIVE_INFINITY;
  let fits = true;
  const rules = section(ctx, () => {
    for (const { label, layout, packets } of copies) {
      if (!fits) return;
      ctx.out.emit(at(label));
      emitCounterBase(ctx, tails.abort);
      const limits = { instructions: limit, waiting: shape.cutAfter };
      fits = emitBody({ ...ctx, layout, packets }, plan, tails, limits, frame);
    }
    emitTails(ctx, tails, plan.mode === 'loop', usage.effects);
    emitFunctions(ctx);
  });
  if (!fits) return undefined;
  const [normal, odd] = [labelOf('normal'), labelOf('odd')];
  const prologue = section(ctx, () => {
    ctx.out.emit(mov.reg(CTX, R1));
    const fresh = (): void => {
      takeAnswers(ctx, usage.answers, tails.abort);
      if (usage.reject.length > 0) emitStaleCheck(ctx, jumpIfNothingPending, deletePending);
      if (usage.effects) emitStaleCheck(ctx, jumpIfNoLists, deleteList);
      beginMarks(ctx);
    };
    if (ctx.staged === undefined) fresh();
    else beginOrResume(ctx, plan.slots, usage.answers, tails.abort, fresh);
    if (ctx.used.has('clock')) prepareClock(ctx);
    // Logging and look-ups save both, whether or not a rule has a use for them.
    if (usage.log || frame !== undefined) ctx.out.emit(mov.imm(ADDRESSES, 0), mov.imm(FLOW, 0));
    if (odd === undefined) emitPlain(ctx, usage.fields);
    else emitPrologue(ctx, usage.fields, { odd, ...(normal === undefined ? {} : { normal }) });
  });
  return removeUnreachable([...prologue, ...rules]);
}

/**
 * In exact mode the verifier must keep the numbers in the return slots. In a loop it gives up numbers that differ from round to
 * round, even those that belong to nobody in it: so a search for a TCP option does not go with exact mode.
 */
export function planFor(ctx: HookContext, usage: Usage, shape: Shape, room: number): ChainPlan {
  const plan = planChains(ctx.policy, ctx.hook, shape.loop, (_rules, chain) => verifyingCost(ctx, chain))!;
  const remembers = plan.slots > 0 || usage.log;
  const goesOn =
    runsOf(ctx.runs, plan.chains.keys()).some((run) => run.goesOn) && frameFor(ctx, plan, room) !== undefined;
  const resumes = usage.staged.length > 0;
  return (usage.loops && remembers) || goesOn || resumes ? planChains(ctx.policy, ctx.hook, true)! : plan;
}

/** What a chain costs to verify, in rules. */
function verifyingCost(ctx: HookContext, chain: number): number {
  const segments = ctx.runs.get(chain);
  if (segments === undefined) return ruleSequence(ctx.policy.chains[chain]!).length;
  return segments.reduce((sum, run) => sum + (run.kind === 'run' ? runCost(run) : run.to - run.from), 0);
}

/** The stack of look-ups; undefined when the program has none, or the chains leave no room for it. */
export function frameFor(ctx: HookContext, plan: ChainPlan, room: number): LookupFrame | undefined {
  const runs = runsOf(ctx.runs, plan.chains.keys());
  if (runs.length === 0) return undefined;
  const words = widest(runs.map((run) => run.table.shape.plan));
  return plan.slots + frameSlots(words) > room ? undefined : lookupFrame(plan.slots, words);
}

/** What `emit` emits, taken out of the context's code. */
function section(ctx: HookContext, emit: () => void): readonly CodeItem[] {
  const start = ctx.out.code.length;
  emit();
  return ctx.out.code.splice(start);
}

/** An entry of an earlier packet in the same sk_buff must not speak for this one. */
function emitStaleCheck(
  ctx: HookContext,
  jumpIfNone: (none: Label) => readonly CodeItem[],
  remove: (skb: number, none: Label) => readonly CodeItem[],
): void {
  const fresh = ctx.out.label('fresh');
  ctx.out.emit(...jumpIfNone(fresh), loadSkb(ctx, R7), ...remove(R7, fresh), at(fresh));
}

function emitFunctions(ctx: HookContext): void {
  for (const [name, emit] of ctx.functions) {
    ctx.out.emit(at(name));
    emit(ctx);
  }
}
