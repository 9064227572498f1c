/**
 * From a rule set to what has to be installed for it. Pure: the same rules for the same kernel give the same plan.
 */

import type { KernelFacts } from '../bpf/facts.ts';
import { type CompiledGeneration, type CompiledHook, MAP_NAMES } from '../codegen/compiled.ts';
import type { LookupOptions, TableRuns } from '../codegen/netfilter/lookup/plan.ts';
import type { Diagnostic } from '../diagnostics/diagnostic.ts';
import type { KernelObjects } from '../extensions/objects.ts';
import { BPF_F_MMAPABLE } from '../kernel/map-memory.ts';
import { printRuleset } from '../languages/iptables/print.ts';
import type { Family, TableName } from '../packet/netfilter.ts';
import type { TablePolicy } from '../policy/ir.ts';
import type { NamedTable } from '../policy/named.ts';
import { counterAt, isColumns, type RuleSequence, ruleSequence } from '../policy/policy-columns.ts';
import type { Question } from '../policy/question.ts';
import type { Ruleset } from '../rules/model.ts';
import { type EarlyOptions, type EarlyPlan, planEarly } from './early-plan.ts';
import type { HookBridge } from './effect-rules.ts';
import { journalMap } from './live/journal.ts';
import { missingSets } from './mentions.ts';
import { type PlacedTables, placeTables } from './place-tables.ts';
import { bridgedChains, type ChainPlacement, placements } from './placement.ts';
import { withoutCounters } from './ruleset-counters.ts';
import { type FamilyState, numbersFrom, type TableState } from './state.ts';

/** Everything that one family needs, ready to be loaded. */
export interface FamilyPlan {
  readonly family: Family;
  readonly ruleset: Ruleset;
  readonly placements: readonly ChainPlacement[];
  readonly compiled: CompiledGeneration;
  readonly lookups: readonly LookupTable[];
  readonly kernelTables: readonly KernelTable[];
  /** What the kernel has to be asked in front of the programs, for each table that asks. */
  readonly questions: readonly PlannedQuestions[];
  /** What it is asked on the way through them, for each table that asks. */
  readonly staged: readonly PlannedStaged[];
  /** Early drop; absent: nobody asked for it. */
  readonly early?: EarlyPlan;
  /** The plan's state, except for the generation that will make it. */
  readonly state: Omit<FamilyState, 'madeBy'>;
}

/** A table's look-ups, and what decides whether a rule can be changed without making its programs anew. */
export interface LookupTable {
  readonly table: TableName;
  /** By number of the chain. */
  readonly runs: TableRuns;
  readonly tracks: boolean;
  readonly effects: boolean;
}

/** The questions of one table; a hook's program names them by number. */
export interface PlannedQuestions {
  readonly table: TableName;
  readonly questions: readonly Question[];
}

/** The same for questions that are asked on the way; number n goes by `first + n`. */
export interface PlannedStaged extends PlannedQuestions {
  readonly first: number;
}

/** A table for the system's iptables-restore. */
export interface KernelTable {
  readonly name: TableName;
  /** Restore text of this table alone, with counters. */
  readonly text: string;
}

export interface PlanResult {
  /** Present exactly when no diagnostic is an error. */
  readonly plan?: FamilyPlan;
  readonly diagnostics: readonly Diagnostic[];
}

export interface PlanOptions {
  /** Counting starts at the rule set's own counters instead of at zero (restore -c). */
  readonly counters: boolean;
  /** A table that cannot run as programs is an error, instead of staying with the kernel (nat always does). */
  readonly strict?: boolean;
  /** How rules become look-ups, where that is not to be chosen: for tests. */
  readonly forced?: LookupOptions | undefined;
  /** What the machine has of what the rules name; absent where no machine was asked. */
  readonly objects?: KernelObjects | undefined;
  /** Devices on which packets are to be dropped early, where that is certain to be the same. */
  readonly early?: EarlyOptions;
  /** Lists and tables with names that are there already, or that an earlier plan makes (plan-families.ts). */
  readonly named?: readonly NamedTable[];
  /** Keys of those that rules of the other family's tables in the kernel use. */
  readonly taken?: ReadonlySet<string>;
}

/** Lowers and compiles the tables of one family. Warnings name the rules that keep a table with the kernel. */
export function planFamily(source: Ruleset, facts: KernelFacts, options: PlanOptions): PlanResult {
  const ruleset = options.counters ? source : withoutCounters(source);
  const missing = options.objects === undefined ? [] : missingSets(ruleset, options.objects);
  if (missing.length > 0) return { diagnostics: missing };
  const result = placeTables(ruleset, facts, options);
  if (!result.ok) return { diagnostics: result.diagnostics };
  return { plan: assemble(ruleset, result.placed, facts, options), diagnostics: result.placed.reasons };
}

export function hasErrors(diagnostics: readonly Diagnostic[]): boolean {
  return diagnostics.some((item) => item.severity === 'error');
}

function assemble(ruleset: Ruleset, placed: PlacedTables, facts: KernelFacts, options: PlanOptions): FamilyPlan {
  const { policies, compiled, kernel } = placed;
  const kernelTables = ruleset.tables
    .filter((table) => kernel.includes(table.name))
    .map((table) => ({
      name: table.name,
      text: printRuleset({ family: ruleset.family, tables: [table] }, { counters: true }),
    }));
  const early = options.early === undefined ? undefined : planEarly(policies, kernel, compiled, facts, options.early);
  const complete = withLateCounters(withJournal(withMaps(compiled, early)));
  return Object.freeze({
    family: ruleset.family,
    ruleset,
    placements: placements(ruleset, kernel),
    compiled: complete,
    lookups: lookupTables(policies, compiled),
    ...(early === undefined ? {} : { early }),
    kernelTables,
    questions: policies.flatMap(({ table, questions }) => (questions === undefined ? [] : [{ table, questions }])),
    staged: plannedStaged(policies, compiled),
    state: {
      text: printRuleset(ruleset, { counters: true }),
      tables: ruleset.tables.map((table): TableState => {
        const policy = policies.find((item) => item.table === table.name);
        if (policy === undefined) return { name: table.name, placement: 'kernel' };
        return tableState(policy, compiled, bridgedChains(table, ruleset.family));
      }),
      counterStride: compiled.counterStride,
      // One more than there are: late counters.
      cpus: facts.possibleCpus + 1,
      maps: complete.maps.map((map) => map.name).filter((name) => !compiled.named.some(({ map }) => map === name)),
      ...(compiled.named.length === 0 ? {} : { named: compiled.named }),
      conntrack: compiled.needs.conntrack.includes(ruleset.family),
      log: compiled.needs.log,
      ...(early === undefined ? {} : { early: options.early!.wish }),
      ...(early === undefined || early.programs !== undefined ? {} : { earlyIdle: true as const }),
    },
  });
}

function plannedStaged(policies: readonly TablePolicy[], compiled: CompiledGeneration): readonly PlannedStaged[] {
  return policies.flatMap(({ table, staged }) => {
    const base = compiled.staged?.find((item) => item.table === table);
    return staged === undefined || base === undefined ? [] : [{ table, questions: staged, first: base.first }];
  });
}

/** Tables whose rules can be changed in memory. */
function lookupTables(policies: readonly TablePolicy[], compiled: CompiledGeneration): readonly LookupTable[] {
  return policies.map((policy) => ({
    table: policy.table,
    runs: compiled.runs?.find(({ table }) => table === policy.table)?.chains ?? new Map(),
    tracks: policy.conntrack,
    effects: (policy.effects ?? []).length > 0,
  }));
}

/** With a place where changes of the look-ups' memory are written down. */
function withJournal(compiled: CompiledGeneration): CompiledGeneration {
  if (compiled.runs === undefined) return compiled;
  const counters = compiled.counters.reduce((sum, { count }) => sum + count, 0);
  return { ...compiled, maps: [...compiled.maps, journalMap(counters)] };
}

/** With a stride of counters that no CPU counts in (carry-counters.ts). */
function withLateCounters(compiled: CompiledGeneration): CompiledGeneration {
  const maps = compiled.maps.map((map) =>
    map.name === MAP_NAMES.counters
      ? { ...map, valueSize: map.valueSize + compiled.counterStride, flags: BPF_F_MMAPABLE }
      : map,
  );
  return { ...compiled, maps };
}

function withMaps(compiled: CompiledGeneration, early: EarlyPlan | undefined): CompiledGeneration {
  return early?.programs === undefined ? compiled : { ...compiled, maps: [...compiled.maps, ...early.programs.maps] };
}

function bridgeOfHook({ hook, listLength, effects, reject }: CompiledHook): HookBridge {
  return {
    hook,
    entries: listLength,
    effects: effects.map(({ number, effect }) => ({ number, needs: effect.needs, target: effect.target })),
    reject,
  };
}

function counterNumbers(rules: RuleSequence, first: number): readonly number[] {
  if (isColumns(rules)) return numbersFrom(first + rules.firstCounter, rules.length);
  return Array.from({ length: rules.length }, (_, at) => first + counterAt(rules, at));
}

function tableState(policy: TablePolicy, compiled: CompiledGeneration, bridged: ReadonlySet<string>): TableState {
  const base = compiled.counters.find((item) => item.family === policy.family && item.table === policy.table);
  const first = base?.first ?? 0;
  return {
    placement: 'bpf',
    name: policy.table,
    chains: policy.chains.map((chain) => ({
      name: chain.name,
      ...(chain.base === undefined ? {} : { policy: first + chain.base.counter }),
      rules: counterNumbers(ruleSequence(chain), first),
      bridge: bridged.has(chain.name),
    })),
    hooks: compiled.hooks
      .filter((hook) => hook.family === policy.family && hook.table === policy.table)
      .map((hook) => ({
        hook: hook.hook,
        reject: hook.reject,
        ...(hook.effects.length === 0 ? {} : { bridge: bridgeOfHook(hook) }),
      })),
  };
}
