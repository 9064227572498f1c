/**
 * Which tables run as programs. A table goes as a whole: one rule that cannot be run exactly leaves all of its table with
 * the kernel, which then runs it as it always did.
 */

import type { KernelFacts } from '../bpf/facts.ts';
import { compileGeneration } from '../codegen/compile.ts';
import type { CompiledGeneration } from '../codegen/compiled.ts';
import type { LookupOptions } from '../codegen/netfilter/lookup/plan.ts';
import { type Diagnostic, diagnostic } from '../diagnostics/diagnostic.ts';
import type { Span } from '../diagnostics/source.ts';
import type { KernelObjects } from '../extensions/objects.ts';
import { lowerTable } from '../lowering/lower-table.ts';
import type { TableName } from '../packet/netfilter.ts';
import type { TablePolicy } from '../policy/ir.ts';
import type { NamedTable } from '../policy/named.ts';
import type { Ruleset } from '../rules/model.ts';
import { isKernelTable } from './placement.ts';
import { clashes } from './shared-names.ts';
import { tracingRule } from './traced.ts';

export interface PlacedTables {
  /** The tables that run as programs. */
  readonly policies: readonly TablePolicy[];
  readonly compiled: CompiledGeneration;
  /** The tables that stay with the kernel, in the rule set's order. */
  readonly kernel: readonly TableName[];
  /** Warnings: for each table that could have been programs, every rule that keeps it from that. */
  readonly reasons: readonly Diagnostic[];
}

export type Placing =
  | { readonly ok: true; readonly placed: PlacedTables }
  | { readonly ok: false; readonly diagnostics: readonly Diagnostic[] };

export interface PlacingOptions {
  readonly strict?: boolean;
  readonly objects?: KernelObjects | undefined;
  readonly named?: readonly NamedTable[];
  readonly taken?: ReadonlySet<string>;
  /** How rules become look-ups, where that is not to be chosen. */
  readonly forced?: LookupOptions | undefined;
}

/**
 * Lowers and compiles what can be. `strict`: a table that cannot is an error. Other errors are those of the kernel the
 * facts describe (kernel-lacks-member).
 */
export function placeTables(ruleset: Ruleset, facts: KernelFacts, options: PlacingOptions = {}): Placing {
  const strict = options.strict === true;
  const policies = new Map<TableName, TablePolicy>();
  const reasons: Diagnostic[] = [];
  const tracing = tracingRule(ruleset);
  for (const table of ruleset.tables) {
    if (isKernelTable(table.name)) continue;
    if (tracing !== undefined && tracing.table !== table.name) {
      const item = traced(table.name, tracing.span);
      reasons.push(strict ? item : staysWithKernel(table.name, item));
      continue;
    }
    const lowered = lowerTable(table, ruleset.family, options.objects);
    reasons.push(...lowered.diagnostics.map((item) => (strict ? item : staysWithKernel(table.name, item))));
    if (lowered.policy !== undefined) policies.set(table.name, lowered.policy);
  }
  if (strict && reasons.some(isError)) return { ok: false, diagnostics: reasons };

  let compiled = NOTHING;
  // Each round takes a table out, or is the last.
  while (policies.size > 0) {
    const [clash] = clashes(ruleset, [...policies.keys()], options.taken ?? new Set());
    if (clash !== undefined) {
      const item = sharedWithKernel(clash);
      if (strict) return { ok: false, diagnostics: [...reasons, item] };
      policies.delete(clash.table);
      reasons.push(staysWithKernel(clash.table, item));
      continue;
    }
    const result = compileGeneration({
      policies: [...policies.values()],
      facts,
      ...(options.named === undefined ? {} : { named: options.named }),
      ...(options.forced === undefined ? {} : { lookups: options.forced }),
    });
    if (result.generation !== undefined) {
      compiled = result.generation;
      reasons.push(...result.diagnostics);
      break;
    }
    const tooMuch = result.refused ?? [];
    if (strict || tooMuch.length === 0 || result.diagnostics.some(isOfTheKernel)) {
      return { ok: false, diagnostics: [...reasons, ...result.diagnostics] };
    }
    for (const { table, diagnostic: item } of tooMuch) {
      policies.delete(table);
      reasons.push(staysWithKernel(table, item));
    }
  }
  const kernel = ruleset.tables.map((table) => table.name).filter((name) => !policies.has(name));
  return { ok: true, placed: { policies: [...policies.values()], compiled, kernel, reasons } };
}

function sharedWithKernel({ table, name }: { readonly table: TableName; readonly name: string }): Diagnostic {
  const why = 'it belongs to the kernel with all that it remembers';
  return diagnostic('not-supported-here', undefined, { what: name, table, why });
}

function traced(table: TableName, span: Span | undefined): Diagnostic {
  const why = 'for each rule that it matches the kernel writes a line to the log, and only in tables of its own';
  return diagnostic('not-supported-here', span, { what: 'a packet that target "TRACE" follows', table, why });
}

function isError(item: Diagnostic): boolean {
  return item.severity === 'error';
}

/** A kernel without what every such rule reads: nothing about the rules would mend it. */
function isOfTheKernel(item: Diagnostic): boolean {
  return item.code === 'kernel-lacks-member';
}

function staysWithKernel(table: TableName, reason: Diagnostic): Diagnostic {
  if (!isError(reason)) return reason;
  return diagnostic('stays-with-kernel', reason.span, { table, why: reason.message }, reason.notes);
}

const NOTHING: CompiledGeneration = Object.freeze({
  hooks: [],
  maps: [],
  counters: [],
  counterStride: 0,
  named: [],
  needs: { conntrack: [], log: false },
});
