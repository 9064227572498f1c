/**
 * The early programs of one family: the tables that a packet meets (early/stages.ts), reduced, each once for ordinary packets and once for short
 * ones; and the gates between them. The first is jumped into from the device, the others from one another.
 */

import { at, exit, ja, mov } from '../../bpf/assembly.ts';
import { buildProgram } from '../../bpf/builder.ts';
import type { Label } from '../../bpf/code.ts';
import type { KernelFacts } from '../../bpf/facts.ts';
import { R0 } from '../../bpf/instruction.ts';
import type { MapSpec, ProgramSpec } from '../../bpf/program.ts';
import { removeUnreachable } from '../../bpf/prune.ts';
import { EARLY_PACKETS, type EarlyPackets } from '../../early/knowledge.ts';
import { ROUTE_HOOKS, type Stage, type StagePoint, type Stages, stagesOf } from '../../early/stages.ts';
import type { Hook, TableName } from '../../packet/netfilter.ts';
import type { FieldName } from '../../policy/fields.ts';
import type { PolicyRule, TablePolicy } from '../../policy/ir.ts';
import { emitBody } from '../netfilter/body.ts';
import { reachableChains } from '../netfilter/chain-plan.ts';
import type { HookContext } from '../netfilter/context.ts';
import { COUNTER_BYTES } from '../netfilter/counters.ts';
import { createEmitter } from '../netfilter/emitter.ts';
import { FLOW_LAYOUTS } from '../netfilter/flow-word.ts';
import { frameFor, planFor } from '../netfilter/hook.ts';
import { MAX_SLOTS } from '../netfilter/layout.ts';
import { planRuns, runMaps } from '../netfilter/lookup/plan.ts';
import { createTails } from '../netfilter/tails.ts';
import { usageOf } from '../netfilter/usage.ts';
import { gateMap } from './gate.ts';
import { notesMap } from './notes.ts';
import { beginNotes, emitEarlyPrologue, resumeNotes } from './prologue.ts';
import { emitRouteGate, type RouteWays } from './route-gate.ts';
import { jumpToStage, STAGES_MAP, type StageSlot } from './stages.ts';
import { XDP } from './stub.ts';
import { emitEarlyTails } from './tails.ts';
import { emitTrackingGate, trackingMap } from './tracking-gate.ts';

export interface EarlyInput {
  readonly stages: Stages;
  readonly facts: KernelFacts;
  /** Where a table's counters lie in its generation's counter map. */
  readonly firstCounter: (table: TableName) => number;
  readonly counterStride: number;
}

/** Hooks that run in process context, too. */
const INTERRUPTIBLE = ['OUTPUT', 'POSTROUTING'] as const satisfies readonly Hook[];

/** Whether some chain of the whole table is met by packets that arrive and by packets that this machine sends. */
export function sharesChains(policy: TablePolicy, hook: Hook): boolean {
  const sent = new Set(INTERRUPTIBLE.flatMap((other) => reachableChains(policy, other)));
  return reachableChains(policy, hook).some((chain) => sent.has(chain));
}

export interface EarlyPrograms {
  /** The first, which the program on the device jumps into. */
  readonly program: ProgramSpec;
  readonly next: readonly { readonly slot: StageSlot; readonly program: ProgramSpec }[];
  /** Maps that they need beside the counters. */
  readonly maps: readonly MapSpec[];
}

/** As in netfilter/hook.ts. */
const LIMITS = { instructions: 350_000, waiting: 2500 } as const;
/** The flow words of netfilter's two kinds fit: what is odd about a short packet is only its length. */
const LAYOUT = { ordinary: 'normal', short: 'odd' } as const satisfies Record<EarlyPackets, string>;

/** A table is too large for the verifier in any shape. */
export class EarlyTooLarge extends Error {
  readonly table: TableName;
  constructor(table: TableName) {
    super(`the rules of table ${table} make too large a program`);
    this.name = 'EarlyTooLarge';
    this.table = table;
  }
}

/** Throws MissingMember, ChainsTooDeep, EarlyTooLarge. */
export function compileEarly(input: EarlyInput): EarlyPrograms {
  const { stages, facts } = input;
  const all = stagesOf(stages);
  const shared: Shared = {
    ...input,
    fields: new Set(all.flatMap((stage) => EARLY_PACKETS.flatMap((packets) => [...fieldsOf(stage.tables[packets])]))),
    // A packet is counted on all tables at once.
    interrupts: all.some(({ policy, hook }) => sharesChains(policy, hook)),
    maps: [notesMap(facts.possibleCpus)],
  };
  const { first, beforeRoute, behindRoute } = stages;
  const routed = ROUTE_HOOKS.some((hook) => behindRoute[hook].length > 0);
  const goesOn = beforeRoute !== undefined || routed;
  const begin = { goesOn, ...(goesOn ? { next: 'tracking' as const } : {}) };
  const program = first === undefined ? emitBeginning(shared, begin) : compileStage(shared, first, begin);
  const next: { slot: StageSlot; program: ProgramSpec }[] = [];
  if (goesOn) {
    shared.maps.push(STAGES_MAP, gateMap(), trackingMap(facts.possibleCpus));
    const behind = beforeRoute === undefined ? 'route' : slotOf(beforeRoute);
    next.push({ slot: 'tracking', program: emitGate(shared, (ctx) => emitTrackingGate(ctx, behind)) });
  }
  if (beforeRoute !== undefined) {
    const more = routed ? ({ next: 'route' } as const) : {};
    next.push({ slot: slotOf(beforeRoute), program: compileStage(shared, beforeRoute, more) });
  }
  if (routed) {
    const ways: RouteWays = {};
    for (const hook of ROUTE_HOOKS) {
      const [stage] = behindRoute[hook];
      if (stage !== undefined) ways[hook] = slotOf(stage);
    }
    next.push({ slot: 'route', program: emitGate(shared, (ctx) => emitRouteGate(ctx, ways)) });
    for (const hook of ROUTE_HOOKS) {
      behindRoute[hook].forEach((stage, index, path) => {
        const behind = path[index + 1];
        const more = behind === undefined ? {} : { next: slotOf(behind) };
        next.push({ slot: slotOf(stage), program: compileStage(shared, stage, more) });
      });
    }
  }
  return { program, next, maps: shared.maps };
}

/** The element of the PROG_ARRAY that a table behind raw has. */
export function slotOf({ table, hook }: StagePoint): StageSlot {
  return `${table}-${hook}` as StageSlot;
}

interface Shared extends EarlyInput {
  /** All that rules of any stage ask for: the first program packs it. */
  readonly fields: ReadonlySet<FieldName>;
  /** The packets may interrupt tasks that count on the same rules. */
  readonly interrupts: boolean;
  readonly maps: MapSpec[];
}

/** `goesOn`: it is the first program, and whether others follow. */
interface Ways {
  readonly next?: StageSlot;
  readonly goesOn?: boolean;
}

function fieldsOf(policy: TablePolicy): ReadonlySet<FieldName> {
  return usageOf(policy, policy.chains.keys()).fields;
}

function compileStage(shared: Shared, stage: Stage, ways: Ways): ProgramSpec {
  const program = emitStage(shared, stage, ways, false) ?? emitStage(shared, stage, ways, true);
  if (program === undefined) throw new EarlyTooLarge(stage.table);
  return program;
}

type Parts = Pick<HookContext, 'out' | 'functions' | 'globals'>;

function contextOf(
  shared: Shared,
  parts: Parts,
  policy: TablePolicy,
  hook: Hook,
  runs: HookContext['runs'],
): HookContext {
  const { facts, counterStride, firstCounter, interrupts } = shared;
  return {
    ...{ ...parts, facts, hook, policy, counterStride, runs },
    firstCounter: firstCounter(policy.table),
    family: policy.family,
    early: { full: parts.out.label('full'), interrupts },
    ...{ stateOffsets: [], stateBytes: 0, logOffsets: new Map(), named: [], effectOffset: 0, slotsForScans: 0 },
    ...{ lengthens: false, simulatesMarks: false, atomicChains: new Set<number>(), used: new Set() },
  };
}

/** Undefined when the verifier would not take it in this shape; the maps stay as they were, then. */
function emitStage(shared: Shared, stage: Stage, ways: Ways, loop: boolean): ProgramSpec | undefined {
  const parts: Parts = { out: createEmitter(), functions: new Map(), globals: new Map() };
  const { out } = parts;
  const maps: MapSpec[] = [];
  const { hook } = stage;
  const copies = EARLY_PACKETS.map((packets) => {
    const policy = stage.tables[packets];
    const offset = ({ counter }: Pick<PolicyRule, 'counter'>): number =>
      (shared.firstCounter(policy.table) + counter) * COUNTER_BYTES;
    const first = shared.maps.length + maps.length;
    let named = 0;
    const runs = planRuns(policy, offset, () => `bf_early_run${first + named++}`);
    maps.push(...runMaps(runs));
    const ctx = contextOf(shared, parts, policy, hook, runs);
    return { packets, ctx, tails: createTails(ctx), label: out.label(packets), pass: out.label('pass') };
  });
  const [ordinary, short] = copies as [(typeof copies)[number], (typeof copies)[number]];
  const labels = { ordinary: ordinary.label, short: short.label };
  if (ways.goesOn === undefined) resumeNotes(ordinary.ctx, labels, ordinary.pass);
  else emitEarlyPrologue(ordinary.ctx, shared.fields, { pass: ordinary.pass, ...labels });
  for (const { ctx, packets, tails, label, pass } of copies) {
    const plan = planFor(ctx, usageOf(ctx.policy, []), { copies: 'two', loop, cutAfter: LIMITS.waiting }, MAX_SLOTS);
    const frame = frameFor(ctx, plan, MAX_SLOTS);
    out.emit(at(label));
    if (ways.goesOn !== undefined) beginNotes(ctx, packets, ways.goesOn, pass);
    const body = {
      ...ctx,
      layout: FLOW_LAYOUTS[ctx.family][LAYOUT[packets]],
      packets: packets === 'ordinary' ? ('ordinary' as const) : ('all' as const),
    };
    if (!emitBody(body, plan, tails, LIMITS, frame)) return undefined;
    emitEarlyTails(ctx, { tails, pass, ...(ways.next === undefined ? {} : { next: ways.next }) }, plan.mode === 'loop');
  }
  for (const [name, emit] of parts.functions) {
    out.emit(at(name));
    emit(ordinary.ctx);
  }
  shared.maps.push(...maps);
  return buildProgram('bf_early_rules', 'xdp', removeUnreachable(out.code), parts.globals);
}

/** A program without rules, made in the context of any stage. */
function emitGate(shared: Shared, emit: (ctx: HookContext) => void): ProgramSpec {
  const parts: Parts = { out: createEmitter(), functions: new Map(), globals: new Map() };
  const { policy, hook } = stagesOf(shared.stages)[0]!;
  const ctx = contextOf(shared, parts, policy, hook, new Map());
  emit(ctx);
  for (const [name, emitFunction] of parts.functions) {
    parts.out.emit(at(name));
    emitFunction(ctx);
  }
  return buildProgram('bf_early_gate', 'xdp', removeUnreachable(parts.out.code), parts.globals);
}

/** The first program where there is no table raw. */
function emitBeginning(shared: Shared, { next }: Ways): ProgramSpec {
  return emitGate(shared, (ctx) => {
    const { out } = ctx;
    const pass: Label = out.label('pass');
    const labels = { ordinary: out.label('ordinary'), short: out.label('short') };
    emitEarlyPrologue(ctx, shared.fields, { pass, ...labels });
    for (const packets of EARLY_PACKETS) {
      out.emit(at(labels[packets]));
      beginNotes(ctx, packets, true, pass);
      if (next !== undefined) out.emit(...jumpToStage(next));
      out.emit(ja(pass));
    }
    out.emit(at(pass), mov.imm(R0, XDP.pass), exit());
  });
}
