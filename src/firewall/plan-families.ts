/** Plans of rule sets that go into force together: what both families share by name must look the same to both. */

import type { KernelFacts } from '../bpf/facts.ts';
import { type NamedTable, tableKey } from '../policy/named.ts';
import type { Ruleset } from '../rules/model.ts';
import { type PlanOptions, type PlanResult, planFamily } from './plan.ts';
import { namesIn } from './shared-names.ts';
import type { GenerationState } from './state.ts';

/** Tables with names of the generation in force. */
export function namedInForce(state: GenerationState | undefined): readonly NamedTable[] {
  const tables = Object.values(state?.families ?? {}).flatMap(({ named }) => named ?? []);
  return [...new Map(tables.map(({ table }) => [tableKey(table), table])).values()];
}

/**
 * Plans each rule set, in their order: the first that names a table makes it, unless it is among `existing` already. What a later
 * one changes about it (a longer ring), or takes to the kernel, sends the earlier ones back.
 */
export function planFamilies(
  rulesets: readonly Ruleset[],
  facts: KernelFacts,
  options: PlanOptions,
  existing: readonly NamedTable[] = [],
): readonly PlanResult[] {
  let tables = new Map(existing.map((table) => [tableKey(table), table]));
  let taken: ReadonlySet<string> = options.taken ?? new Set();
  for (;;) {
    const known = new Map(tables);
    const inKernel = new Set(taken);
    const results = rulesets.map((ruleset) => {
      const result = planFamily(ruleset, facts, { ...options, named: [...known.values()], taken });
      for (const { table } of result.plan?.compiled.named ?? []) known.set(tableKey(table), table);
      for (const key of namesIn(ruleset, result.plan?.kernelTables.map(({ name }) => name) ?? [])) inKernel.add(key);
      return result;
    });
    const used = results.flatMap(({ plan }) => plan?.compiled.named ?? []);
    const settled = used.every(
      ({ table }) => same(table, known.get(tableKey(table))) && !inKernel.has(tableKey(table)),
    );
    if (settled) return results;
    tables = known;
    taken = inKernel;
  }
}

function same(one: NamedTable, other: NamedTable | undefined): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}
