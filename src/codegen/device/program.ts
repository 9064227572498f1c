/** The program of a whole policy on a device: one chain of each family, between its own prologue and its own ends. */

import { at } from '../../bpf/assembly.ts';
import { buildProgram } from '../../bpf/builder.ts';
import type { Code, CodeItem, Label } from '../../bpf/code.ts';
import type { KernelFacts } from '../../bpf/facts.ts';
import type { MapSpec, ProgramSpec } from '../../bpf/program.ts';
import { removeUnreachable } from '../../bpf/prune.ts';
import type { DeviceKind } from '../../device/hook.ts';
import { FAMILIES, type Family, type Hook } from '../../packet/netfilter.ts';
import type { PolicyRule, TablePolicy } from '../../policy/ir.ts';
import { MAP_NAMES } from '../compiled.ts';
import { emitBody } from '../netfilter/body.ts';
import { planChains } from '../netfilter/chain-plan.ts';
import type { BodyContext, HookContext } from '../netfilter/context.ts';
import { COUNTER_BYTES } from '../netfilter/counters.ts';
import { createEmitter, type Emitter } from '../netfilter/emitter.ts';
import { prepareClock } from '../netfilter/fields/clock.ts';
import { FLOW_LAYOUTS, type FlowLayout } from '../netfilter/flow-word.ts';
import { ChainsTooDeep, frameFor, planFor, SHAPES, type Shape } from '../netfilter/hook.ts';
import { MAX_SLOTS } from '../netfilter/layout.ts';
import { planRuns, runMaps, type TableRuns } from '../netfilter/lookup/plan.ts';
import { emitCounterBase } from '../netfilter/prologue.ts';
import { initialState, STATE_BYTES } from '../netfilter/stateful.ts';
import { createTails } from '../netfilter/tails.ts';
import { type Usage, usageOf } from '../netfilter/usage.ts';
import { emitAnswer } from './answer.ts';
import { answerMap } from './answer-layout.ts';
import { PEERS_MAP } from './answer-limit.ts';
import { NO_ENTRY, noteConnection } from './connection.ts';
import { type DeviceEnds, NOTE_COUNTERS } from './notes.ts';
import { emitFrame, emitPacket, type LinkLayer } from './prologue.ts';
import { emitDeviceTails, emitEnds } from './tails.ts';

export interface DeviceInput {
  readonly kind: DeviceKind;
  readonly link: LinkLayer;
  /** The table of each family that has one, of which `hook`'s chain is evaluated. A family without one passes. */
  readonly policies: readonly TablePolicy[];
  readonly hook: Hook;
  readonly facts: KernelFacts;
  /** Loop mode and a single copy even where that is not needed: for programs that the verifier does not take otherwise, and for tests. */
  readonly shape?: Shape;
}

export interface DeviceProgram {
  readonly program: ProgramSpec;
  readonly maps: readonly MapSpec[];
  /** Index of the first counter of each policy, in their order. */
  readonly first: readonly number[];
  readonly counterStride: number;
}

const CACHE_LINE = 64;
const ONE_ELEMENT = { type: 'array', keySize: 4, maxEntries: 1 } as const;
/** From this many instructions on, one copy of a family's rules has to do for all packets. */
const BIG = 175_000;

/** One family's part while the program is made. */
interface Part {
  readonly ctx: HookContext;
  readonly usage: Usage;
  readonly label: Label;
}

/** Throws MissingMember, ChainsTooDeep. */
export function compileDevice(input: DeviceInput): DeviceProgram {
  const { policies, facts, kind, hook, link } = input;
  const out = createEmitter();
  const ends: DeviceEnds = { pass: out.label('pass'), drop: out.label('drop') };
  const first: number[] = [];
  let counters = NOTE_COUNTERS;
  for (const policy of policies) {
    first.push(counters);
    counters += policy.counters;
  }
  const counterStride = Math.ceil((counters * COUNTER_BYTES) / CACHE_LINE) * CACHE_LINE;
  const states = statesOf(policies, facts);
  let runs = 0;
  const maps: MapSpec[] = [
    { name: MAP_NAMES.counters, ...ONE_ELEMENT, valueSize: counterStride * facts.possibleCpus },
    ...(states.initial.length === 0
      ? []
      : [{ name: MAP_NAMES.states, ...ONE_ELEMENT, valueSize: states.initial.length, initial: states.initial }]),
  ];
  const functions: HookContext['functions'] = new Map();
  const globals: HookContext['globals'] = new Map();
  const parts = policies.map((policy, index): Part => {
    const offset = ({ counter }: Pick<PolicyRule, 'counter'>): number => (first[index]! + counter) * COUNTER_BYTES;
    const tableRuns: TableRuns = planRuns(policy, offset, () => `${MAP_NAMES.run}${runs++}`);
    maps.push(...runMaps(tableRuns));
    const usage = usageOf(policy, planChains(policy, hook)?.chains.keys() ?? []);
    const ctx: HookContext = {
      ...{ out, facts, hook, policy, counterStride, functions, globals },
      ...{ family: policy.family, firstCounter: first[index]!, runs: tableRuns, device: { kind } },
      ...{ stateOffsets: states.offsets[index]!, stateBytes: states.initial.length },
      ...{ logOffsets: new Map(), named: policy.states.map(() => undefined), effectOffset: 0, slotsForScans: 0 },
      ...{ lengthens: false, simulatesMarks: false, atomicChains: new Set<number>(), used: new Set() },
    };
    if (usage.reject.length > 0) ctx.used.add('transportOffset').add('summary');
    return { ctx, usage, label: out.label(policy.family) };
  });
  if (parts.some(({ usage }) => asksConnection(usage))) maps.push(NO_ENTRY);
  if (parts.some(({ usage }) => usage.reject.length > 0)) maps.push(answerMap(facts.possibleCpus), PEERS_MAP);
  const labelOf = (family: Family): Label => parts.find(({ ctx }) => ctx.family === family)?.label ?? ends.pass;
  const [any] = parts;
  if (any === undefined) throw new RangeError('no family has rules');
  const code: CodeItem[] = [
    ...section(out, () => {
      const families = Object.fromEntries(FAMILIES.map((family) => [family, labelOf(family)]));
      emitFrame(any.ctx, kind, link, families as Record<Family, Label>, ends);
    }),
  ];
  for (const part of parts) code.push(...emitPart(part, kind, ends, input.shape));
  code.push(
    ...section(out, () => {
      emitEnds(any.ctx, kind, ends);
      for (const [name, emit] of functions) {
        out.emit(at(name));
        emit(any.ctx);
      }
    }),
  );
  const type = kind === 'xdp' ? 'xdp' : 'sched_cls';
  return {
    program: buildProgram('bf_device', type, removeUnreachable(code), globals),
    ...{ maps: Object.freeze(maps), first, counterStride },
  };
}

function asksConnection({ fields }: Usage): boolean {
  return [...fields].some((field) => field.startsWith('ct.'));
}

/** A family's prologue, rules and tails, in the first shape that fits. */
function emitPart(part: Part, kind: DeviceKind, ends: DeviceEnds, force: Shape | undefined): Code {
  const { ctx, usage, label } = part;
  const { out } = ctx;
  for (const shape of force === undefined ? SHAPES : [force]) {
    const plan = planFor(ctx, usage, shape, MAX_SLOTS);
    if (plan.slots > MAX_SLOTS) throw new ChainsTooDeep(plan.slots);
    const frame = frameFor(ctx, plan, MAX_SLOTS);
    const tails = createTails(ctx);
    const copies = copiesOf(usage, shape).map((copy) => ({ ...copy, label: out.label(copy.kind) }));
    const limits = { instructions: copies.length > 1 ? BIG : Number.POSITIVE_INFINITY, waiting: shape.cutAfter };
    let fits = true;
    const rules = section(out, () => {
      for (const copy of copies) {
        if (!fits) return;
        out.emit(at(copy.label));
        emitCounterBase(ctx, ends.drop);
        const layout: FlowLayout = FLOW_LAYOUTS[ctx.family][copy.kind];
        fits = emitBody({ ...ctx, layout, packets: copy.packets }, plan, tails, limits, frame);
      }
      const answer = usage.reject.length === 0 ? undefined : out.label('answer');
      emitDeviceTails(ctx, tails, ends, plan.mode === 'loop', answer);
      if (answer !== undefined) {
        out.emit(at(answer));
        emitAnswer(ctx, kind, ends.drop);
      }
    });
    if (!fits) continue;
    const labelOf = (name: FlowLayout['kind']): Label | undefined => copies.find((copy) => copy.kind === name)?.label;
    const [plain, normal, odd] = [labelOf('plain'), labelOf('normal'), labelOf('odd')];
    const prologue = section(out, () => {
      out.emit(at(label));
      const targets = plain === undefined ? { odd: odd!, ...(normal === undefined ? {} : { normal }) } : { plain };
      emitPacket(ctx, kind, usage.fields, targets, ends.drop, () => {
        if (ctx.used.has('clock')) prepareClock(ctx);
        if (asksConnection(usage)) noteConnection(ctx, kind);
      });
    });
    return [...prologue, ...rules];
  }
  throw new Error('no shape fits the program');
}

function copiesOf(
  usage: Usage,
  shape: Shape,
): readonly (Pick<BodyContext, 'packets'> & { readonly kind: FlowLayout['kind'] })[] {
  // An answer depends on what it answers.
  if (!usage.transport && usage.reject.length === 0) return [{ kind: 'plain', packets: 'all' }];
  if (shape.copies === 'one') return [{ kind: 'odd', packets: 'all' }];
  return [
    { kind: 'normal', packets: 'ordinary' },
    { kind: 'odd', packets: 'odd' },
  ];
}

function statesOf(
  policies: readonly TablePolicy[],
  facts: KernelFacts,
): { readonly offsets: readonly (readonly number[])[]; readonly initial: Uint8Array } {
  const initial = new Uint8Array(policies.reduce((sum, policy) => sum + policy.states.length, 0) * STATE_BYTES);
  const view = new DataView(initial.buffer);
  let next = 0;
  const offsets = policies.map(({ states }) =>
    states.map((state) => {
      const offset = next;
      initialState(state, facts.hz, view, offset);
      next += STATE_BYTES;
      return offset;
    }),
  );
  return { offsets, initial };
}

/** What `emit` emits, taken out of the emitter. */
function section(out: Emitter, emit: () => void): readonly CodeItem[] {
  const start = out.code.length;
  emit();
  return out.code.splice(start);
}
