/** Other rules in the namespace that filter beside ours: nobody should believe that apply replaced them. */

import { findIptables, legacyTables, saveTable } from '../kernel/kernel-tables.ts';
import type { TableName } from '../packet/netfilter.ts';
import type { FamilyPlan } from './plan.ts';

/** One sentence for each family whose BPF tables the kernel has rules in as well. */
export function foreignRules(plans: readonly FamilyPlan[]): readonly string[] {
  return plans.flatMap(({ family, state }) => {
    const ours = state.tables
      .filter((table) => table.placement !== 'kernel' && table.hooks.every(({ bridge }) => bridge === undefined))
      .map((table) => table.name);
    const filtering = legacyTables(family).filter((name) => ours.includes(name) && filters(family, name));
    if (filtering.length === 0) return [];
    const names = filtering.join(' and ');
    return [
      `the kernel's own ${family} table ${names} has rules too, and packets must pass both ` +
        `(${findIptables(family)?.save ?? 'iptables-save'} -t ${filtering[0]} shows them)`,
    ];
  });
}

/** The kernel's own table of this name has rules, or a policy that drops. */
export function filters(family: FamilyPlan['family'], table: TableName): boolean {
  return /^(-A |:\S+ DROP )/m.test(saveTable(family, table, { counters: false }) ?? '');
}
