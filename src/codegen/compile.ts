/** From policies to a generation: one program for each hook of each table, and the maps they share. */

import type { KernelFacts } from '../bpf/facts.ts';
import { type MapSpec, slotCount } from '../bpf/program.ts';
import { type Diagnostic, diagnostic } from '../diagnostics/diagnostic.ts';
import { FAMILIES, type Hook, TABLE_HOOKS, type TableName } from '../packet/netfilter.ts';
import type { PolicyRule, TablePolicy } from '../policy/ir.ts';
import { fitsTable, type NamedTable, resolveNames } from '../policy/named.ts';
import { differentRules } from '../policy/policy-columns.ts';
import { type CompiledGeneration, type CompiledHook, type CounterBase, MAP_NAMES } from './compiled.ts';
import { ASKED_MAP } from './netfilter/asked.ts';
import { MissingMember } from './netfilter/context.ts';
import { COUNTER_BYTES } from './netfilter/counters.ts';
import { effectBaseMap, FIRST_EFFECT, MOST_EFFECTS } from './netfilter/effects.ts';
import {
  ChainsTooDeep,
  compileHook,
  type HookProgram,
  MOST_FUNCTIONS,
  type Shape,
  type TablePlaces,
  TooManyFunctions,
} from './netfilter/hook.ts';
import { MAX_SLOTS } from './netfilter/layout.ts';
import { LOG_MAP } from './netfilter/log.ts';
import { encodeLogRecord, LOG_RECORD_BYTES } from './netfilter/log-record.ts';
import { type LookupOptions, MMAPABLE, planRuns, runMaps, type TableRuns } from './netfilter/lookup/plan.ts';
import { sharedCode } from './netfilter/row-parameters.ts';
import { stagedMaps } from './netfilter/staged.ts';
import { namedMapName, namedMapSpec } from './netfilter/state/named-map.ts';
import { initialState, STATE_BYTES } from './netfilter/stateful.ts';

export interface CompileInput {
  /** At most one for each family and table. */
  readonly policies: readonly TablePolicy[];
  readonly facts: KernelFacts;
  /** Tables with names that are there already: they stay as they are. */
  readonly named?: readonly NamedTable[];
  /** Makes every program in this shape instead of the one that suits it: for tests of the shapes that only large tables get. */
  readonly shape?: Shape;
  /** How rules become look-ups, where that is not to be chosen: for tests. */
  readonly lookups?: LookupOptions;
}

export interface CompileResult {
  /** Present exactly when no diagnostic is an error. */
  readonly generation?: CompiledGeneration;
  readonly diagnostics: readonly Diagnostic[];
  /** The same errors with the tables they are about. */
  readonly refused?: readonly { readonly table: TableName; readonly diagnostic: Diagnostic }[];
}

/** The kernel loads no longer program. */
const MAX_INSTRUCTIONS = 1_000_000;

/** Compiles the policies of one generation. */
export function compileGeneration({ policies, facts, named = [], shape, lookups }: CompileInput): CompileResult {
  const counters = placeCounters(policies);
  const total = counters.reduce((sum, base) => sum + base.count, 0);
  const states = placeStates(policies, facts);
  const logs = placeLogs(policies);
  const effects = placeEffects(policies);
  const staged = placeStaged(policies);
  let suspending = 0;
  const names = resolveNames(policies, named, facts.modules);

  const hooks: CompiledHook[] = [];
  const diagnostics: Diagnostic[] = [];
  const refused: { table: TableName; diagnostic: Diagnostic }[] = [];
  let runCount = 0;
  const allRuns: readonly TableRuns[] = policies.map((policy, index) => {
    const offset = ({ counter }: Pick<PolicyRule, 'counter'>): number =>
      (counters[index]!.first + counter) * COUNTER_BYTES;
    const shared = sharedCode(policy, states.offsets[index]!, logs.offsets[index]!, states.initial);
    return planRuns(policy, offset, () => `${MAP_NAMES.run}${runCount++}`, lookups, shared);
  });
  // Rules that are put into memory later count, too.
  const room = runCount === 0 ? total : Math.ceil(total * SPARE_COUNTERS.share) + SPARE_COUNTERS.least;
  // Whole cache lines, so that two CPUs never share one.
  const counterStride = Math.max(CACHE_LINE, Math.ceil((room * COUNTER_BYTES) / CACHE_LINE) * CACHE_LINE);
  policies.forEach((policy, index) => {
    const runs = allRuns[index]!;
    const places: TablePlaces = {
      runs,
      firstCounter: counters[index]!.first,
      counterStride,
      stateOffsets: states.offsets[index]!,
      logOffsets: logs.offsets[index]!,
      stateBytes: states.initial.length,
      named: names.behind[index]!.map((table) => table && { table, map: namedMapName(table) }),
      effectOffset: effects.offsets[index]!,
      stagedOffset: staged[index]!,
    };
    const misfit = misfitOf(policy, names.behind[index]!);
    if (misfit !== undefined) {
      diagnostics.push(misfit);
      refused.push({ table: policy.table, diagnostic: misfit });
      return;
    }
    for (const hook of TABLE_HOOKS[policy.table].hooks) {
      const result = compileOne(policy, hook, facts, places, shape);
      if (result === undefined) continue;
      if ('message' in result) {
        diagnostics.push(result);
        refused.push({ table: policy.table, diagnostic: result });
      } else {
        const { stages: own, ...compiled } = result;
        const stages = own === undefined ? {} : { stages: { index: suspending++, ...own } };
        hooks.push({ family: policy.family, table: policy.table, hook, ...compiled, ...stages });
      }
    }
  });
  if (diagnostics.length > 0) return { diagnostics, refused };
  const maps: MapSpec[] = [
    {
      name: MAP_NAMES.counters,
      ...ONE_ELEMENT,
      valueSize: counterStride * facts.possibleCpus,
      ...(runCount === 0 ? {} : { flags: MMAPABLE }),
    },
    ...(states.initial.length === 0 ? [] : [valueMap(MAP_NAMES.states, states.initial)]),
    ...names.tables.map(namedMapSpec),
    ...(effects.total === 0 ? [] : [effectBaseMap(0)]),
    ...(logs.initial.length === 0 ? [] : [valueMap(MAP_NAMES.logs, logs.initial)]),
    ...(hooks.some((hook) => hook.answers.length > 0) ? [ASKED_MAP] : []),
    ...(suspending === 0 ? [] : stagedMaps(suspending)),
    ...allRuns.flatMap(runMaps),
  ];
  return {
    generation: Object.freeze({
      hooks: Object.freeze(hooks),
      maps: Object.freeze(maps),
      counters,
      ...(policies.some((policy) => policy.staged !== undefined)
        ? { staged: policies.map(({ family, table }, index) => ({ family, table, first: staged[index]! })) }
        : {}),
      counterStride,
      ...(runCount === 0
        ? {}
        : { runs: policies.map(({ family, table }, index) => ({ family, table, chains: allRuns[index]! })) }),
      named: Object.freeze(names.tables.map((table) => Object.freeze({ table, map: namedMapName(table) }))),
      needs: {
        conntrack: FAMILIES.filter((family) => policies.some((policy) => policy.family === family && policy.conntrack)),
        log: logs.initial.length > 0,
      },
    }),
    diagnostics,
  };
}

/** Each has a map of its own, and a program may use 64. */
const MOST_NAMES = 48;

/** A rule that counts something else than the table that it names, or too many names. */
function misfitOf(policy: TablePolicy, behind: readonly (NamedTable | undefined)[]): Diagnostic | undefined {
  const most = new Set(behind.filter((table) => table !== undefined)).size;
  if (most > MOST_NAMES) {
    const why = `its rules name ${most} of them, and a program has room for ${MOST_NAMES}`;
    return diagnostic('not-supported-here', undefined, {
      what: 'lists and hashlimit tables',
      table: policy.table,
      why,
    });
  }
  const at = policy.states.findIndex((state, index) => !fitsTable(state, behind[index]));
  if (at === -1) return undefined;
  const what = `hashlimit table "${behind[at]?.name ?? ''}"`;
  const why = 'rules that name it count different things, which mixes up the kernel, too';
  return diagnostic('not-supported-here', undefined, { what, table: policy.table, why });
}

/** Counters for rules that come later, where there are look-ups whose rules can change. */
const SPARE_COUNTERS = { share: 1.25, least: 64 } as const;
const CACHE_LINE = 64;
const ONE_ELEMENT = { type: 'array', keySize: 4, maxEntries: 1 } as const;

function valueMap(name: string, initial: Uint8Array): MapSpec {
  return { name, ...ONE_ELEMENT, valueSize: initial.length, initial };
}

function placeCounters(policies: readonly TablePolicy[]): readonly CounterBase[] {
  let first = 0;
  return policies.map(({ family, table, counters }) => {
    const base = { family, table, first, count: counters };
    first += counters;
    return base;
  });
}

/** Numbers of the tables' first effects. */
function placeEffects(policies: readonly TablePolicy[]): {
  readonly offsets: readonly number[];
  readonly total: number;
} {
  let total = 0;
  const offsets = policies.map((policy) => {
    const first = FIRST_EFFECT + total;
    total += policy.effects?.length ?? 0;
    return first;
  });
  if (total > MOST_EFFECTS) throw new RangeError(`${total} effects in one generation`);
  return { offsets, total };
}

/** What the tables' first questions that are asked on the way go by; 0 is none. */
function placeStaged(policies: readonly TablePolicy[]): readonly number[] {
  let next = 1;
  return policies.map((policy) => {
    const first = next;
    next += policy.staged?.length ?? 0;
    return first;
  });
}

interface Placed<T> {
  /** For each policy. */
  readonly offsets: readonly T[];
  readonly initial: Uint8Array;
}

function placeStates(policies: readonly TablePolicy[], facts: KernelFacts): Placed<readonly number[]> {
  const initial = new Uint8Array(policies.reduce((sum, policy) => sum + policy.states.length, 0) * STATE_BYTES);
  const view = new DataView(initial.buffer);
  let next = 0;
  const offsets = policies.map((policy) =>
    policy.states.map((state) => {
      const offset = next;
      initialState(state, facts.hz, view, offset);
      next += STATE_BYTES;
      return offset;
    }),
  );
  return { offsets, initial };
}

function placeLogs(policies: readonly TablePolicy[]): Placed<ReadonlyMap<number, number>> {
  const records: Uint8Array[] = [];
  const offsets = policies.map((policy) => {
    const places = new Map<number, number>();
    for (const rule of policy.chains.flatMap(differentRules)) {
      if (rule.action.kind !== 'log') continue;
      const record = new Uint8Array(LOG_RECORD_BYTES);
      encodeLogRecord(policy, rule, policy.logs[rule.action.log]!, record);
      places.set(rule.counter, LOG_MAP.records + records.length * LOG_RECORD_BYTES);
      records.push(record);
    }
    return places;
  });
  if (records.length === 0) return { offsets, initial: new Uint8Array() };
  const initial = new Uint8Array(LOG_MAP.records + records.length * LOG_RECORD_BYTES);
  records.forEach((record, index) => {
    initial.set(record, LOG_MAP.records + index * LOG_RECORD_BYTES);
  });
  return { offsets, initial };
}

/** A program, why there is none, or undefined when the table has no chain at the hook. */
function compileOne(
  policy: TablePolicy,
  hook: Hook,
  facts: KernelFacts,
  places: TablePlaces,
  shape: Shape | undefined,
): HookProgram | Diagnostic | undefined {
  const where = { table: policy.table, hook };
  try {
    const result = compileHook(policy, hook, facts, places, shape);
    const slots = result === undefined ? 0 : slotCount(result.program);
    if (slots > MAX_INSTRUCTIONS)
      return diagnostic('program-too-large', undefined, { ...where, slots, limit: MAX_INSTRUCTIONS });
    return result;
  } catch (error) {
    if (error instanceof MissingMember)
      return diagnostic('kernel-lacks-member', undefined, { ...where, member: error.member, release: facts.release });
    if (error instanceof ChainsTooDeep)
      return diagnostic('chains-too-deep', undefined, { ...where, depth: error.depth, room: MAX_SLOTS });
    if (error instanceof TooManyFunctions)
      return diagnostic('too-many-functions', undefined, { ...where, count: error.count, room: MOST_FUNCTIONS });
    throw error;
  }
}
