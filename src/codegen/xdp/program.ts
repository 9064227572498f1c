/** The early program of one family: its reduced table (early/reduce.ts), once for ordinary packets and once for short ones. */

import { at } from '../../bpf/assembly.ts';
import { buildProgram } from '../../bpf/builder.ts';
import type { KernelFacts } from '../../bpf/facts.ts';
import type { MapSpec, ProgramSpec } from '../../bpf/program.ts';
import { removeUnreachable } from '../../bpf/prune.ts';
import { EARLY_PACKETS, type EarlyPackets } from '../../early/knowledge.ts';
import type { Hook } from '../../packet/netfilter.ts';
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
import { notesMap } from './notes.ts';
import { beginNotes, emitEarlyPrologue } from './prologue.ts';
import { emitEarlyTails } from './tails.ts';

export interface EarlyInput {
  /** The table as it is for either kind of packets. */
  readonly tables: Readonly<Record<EarlyPackets, TablePolicy>>;
  readonly hook: Hook;
  readonly facts: KernelFacts;
  /** Where the table's counters lie in its generation's counter map. */
  readonly firstCounter: number;
  readonly counterStride: number;
  /** The table's packets may interrupt tasks that count on the same rules. */
  readonly interrupts: boolean;
}

/** Whether some chain of the whole table is met by packets that arrive and by packets that this machine sends. */
export function sharesChains(policy: TablePolicy, hook: Hook): boolean {
  const sent = new Set(reachableChains(policy, 'OUTPUT'));
  return reachableChains(policy, hook).some((chain) => sent.has(chain));
}

export interface EarlyProgram {
  readonly program: ProgramSpec;
  /** Maps that it needs beside the counters. */
  readonly maps: readonly MapSpec[];
}

/** As in netfilter/hook.ts. */
const LIMITS = { instructions: 350_000, waiting: 2500 } as const;
/** The flow words of netfilter's two kinds fit: what is odd about a short packet is only its length. */
const LAYOUT = { ordinary: 'normal', short: 'odd' } as const satisfies Record<EarlyPackets, string>;

/** Undefined when the verifier would not take it in any shape. Throws MissingMember, ChainsTooDeep. */
export function compileEarly(input: EarlyInput): EarlyProgram | undefined {
  return emitEarly(input, false) ?? emitEarly(input, true);
}

function emitEarly(input: EarlyInput, loop: boolean): EarlyProgram | undefined {
  const { tables, hook, facts, firstCounter, counterStride, interrupts } = input;
  const out = createEmitter();
  const functions: HookContext['functions'] = new Map();
  const globals: HookContext['globals'] = new Map();
  const maps: MapSpec[] = [notesMap(facts.possibleCpus)];
  const contextOf = (policy: TablePolicy): HookContext => {
    const offset = ({ counter }: PolicyRule): number => (firstCounter + counter) * COUNTER_BYTES;
    const first = maps.length;
    let named = 0;
    const runs = planRuns(policy, offset, () => `bf_early_run${first + named++}`);
    maps.push(...runMaps(runs));
    return {
      ...{ out, facts, hook, policy, firstCounter, counterStride, runs, functions, globals },
      family: policy.family,
      early: { full: out.label('full'), interrupts },
      ...{ stateOffsets: [], stateBytes: 0, logOffsets: new Map(), named: [], effectOffset: 0, slotsForScans: 0 },
      ...{ lengthens: false, simulatesMarks: false, atomicChains: new Set<number>(), used: new Set() },
    };
  };
  const copies = EARLY_PACKETS.map((packets) => {
    const ctx = contextOf(tables[packets]);
    return { packets, ctx, tails: createTails(ctx), label: out.label(packets), pass: out.label('pass') };
  });
  const [ordinary, short] = copies as [(typeof copies)[number], (typeof copies)[number]];
  const fields = new Set<FieldName>();
  for (const { ctx } of copies)
    for (const field of usageOf(ctx.policy, ctx.policy.chains.keys()).fields) fields.add(field);
  emitEarlyPrologue(ordinary.ctx, fields, { pass: ordinary.pass, ordinary: ordinary.label, short: short.label });
  for (const { ctx, packets, tails, label, pass } of copies) {
    const plan = planFor(ctx, usageOf(ctx.policy, []), { copies: 'two', loop, cutAfter: LIMITS.waiting }, MAX_SLOTS);
    const frame = frameFor(ctx, plan, MAX_SLOTS);
    out.emit(at(label));
    beginNotes(ctx, pass);
    const body = {
      ...ctx,
      layout: FLOW_LAYOUTS[ctx.family][LAYOUT[packets]],
      packets: packets === 'ordinary' ? ('ordinary' as const) : ('all' as const),
    };
    if (!emitBody(body, plan, tails, LIMITS, frame)) return undefined;
    emitEarlyTails(ctx, { tails, pass }, ctx.early!.full, plan.mode === 'loop');
  }
  for (const [name, emit] of functions) {
    out.emit(at(name));
    emit(ordinary.ctx);
  }
  return { program: buildProgram('bf_early_rules', 'xdp', removeUnreachable(out.code), globals), maps };
}
