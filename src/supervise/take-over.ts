/**
 * Moving the rules of a namespace between the kernel's own tables and programs. The kernel takes a change in no time, programs filter faster; so
 * while rules change in ways that take compiling, the kernel has them, and when they have settled, programs take over. The counters go along, and
 * old or new rules are in force at every instant (firewall/adopt.ts, firewall/release.ts).
 */

import { formatDiagnostic } from '../diagnostics/diagnostic.ts';
import { type Adoptable, adoptionOf } from '../firewall/adopt.ts';
import { applyPlans } from '../firewall/install.ts';
import { isEmpty, readLegacyTables } from '../firewall/legacy-tables.ts';
import { readObjects } from '../firewall/objects.ts';
import type { FamilyPlan, PlanResult } from '../firewall/plan.ts';
import { namedInForce, planFamilies } from '../firewall/plan-families.ts';
import { readRuleset } from '../firewall/read.ts';
import { release } from '../firewall/release.ts';
import { explainingFailure, requiredKernelFacts } from '../firewall/requirements.ts';
import type { Session } from '../firewall/session.ts';
import { namesIn } from '../firewall/shared-names.ts';
import type { GenerationState } from '../firewall/state.ts';
import { readStateInForce } from '../firewall/store.ts';
import { FAMILIES, type Family } from '../packet/netfilter.ts';
import type { Table } from '../rules/model.ts';

export interface TakenOver {
  readonly generation: number;
  readonly plans: readonly FamilyPlan[];
  /** Why tables stay with the kernel. */
  readonly notes: readonly string[];
}

/**
 * Lets programs take over what the kernel's tables hold and they can express. Call it alone, in the namespace. Undefined: there is nothing to take.
 * @throws FirewallError with the rules in force as they were
 */
export function takeOver({ layout }: Session): TakenOver | undefined {
  const state = readStateInForce(layout);
  const waiting = FAMILIES.map((family) => ({ family, tables: tablesWaiting(family, state) }));
  if (waiting.every(({ tables }) => tables.length === 0)) {
    // What a client did not wait for.
    if (state === undefined) release(layout);
    return undefined;
  }
  const held = waiting.filter(({ family, tables }) => tables.length > 0 && state?.families[family] !== undefined);
  const moves = held.some(({ family, tables }) => {
    const now = readRuleset(layout, family)?.ruleset.tables ?? [];
    const others = now.filter(({ name }) => !tables.some((table) => table.name === name));
    return placesSome(planFrom([{ family, source: 'legacy', tables: [...others, ...tables] }], state), tables);
  });
  // A family's tables go into force together.
  if (moves) {
    release(layout);
    return adopt(layout, FAMILIES, undefined);
  }
  const open = FAMILIES.filter((family) => state?.families[family] === undefined);
  return adopt(layout, open, state);
}

function adopt(
  layout: Session['layout'],
  families: readonly Family[],
  state: GenerationState | undefined,
): TakenOver | undefined {
  const adopted = families.flatMap((family): readonly Adoptable[] => {
    const tables = readLegacyTables(family).map(({ table }) => table);
    return tables.some((table) => !isEmpty(table)) ? [{ family, source: 'legacy', tables }] : [];
  });
  if (adopted.length === 0) return undefined;
  const results = planFrom(adopted, state);
  const notes = results.flatMap(({ diagnostics }) => diagnostics.map(formatDiagnostic));
  const plans = results.flatMap(({ plan }) => (plan === undefined || !plan.state.tables.some(isProgram) ? [] : [plan]));
  if (plans.length === 0) return { generation: 0, plans, notes };
  const taken = adopted.filter(({ family }) => plans.some((plan) => plan.family === family));
  const { generation } = explainingFailure(plans, () => applyPlans(layout, plans, adoptionOf(layout, taken)));
  return { generation, plans, notes };
}

function planFrom(adopted: readonly Adoptable[], state: GenerationState | undefined): readonly PlanResult[] {
  const rulesets = adopted.map(({ family, tables }) => ({ family, tables }));
  // Lists of `recent` and tables of `hashlimit` outlive any change of rules in the kernel; with every change of hands they would forget whom a
  // client limits. So they stay, and the tables whose rules name them.
  const taken = new Set(
    rulesets.flatMap((ruleset) => [
      ...namesIn(
        ruleset,
        ruleset.tables.map(({ name }) => name),
      ),
    ]),
  );
  const options = { counters: true, strict: false, objects: readObjects(rulesets), taken };
  return planFamilies(rulesets, requiredKernelFacts(), options, namedInForce(state));
}

function placesSome(results: readonly PlanResult[], tables: readonly Table[]): boolean {
  return results.some(({ plan }) =>
    plan?.state.tables.some((table) => isProgram(table) && tables.some(({ name }) => name === table.name)),
  );
}

function isProgram({ placement }: { readonly placement: 'bpf' | 'kernel' }): boolean {
  return placement === 'bpf';
}

/** Tables of the kernel that have rules and belong to no program. */
function tablesWaiting(family: Family, state: GenerationState | undefined): readonly Table[] {
  const own = state?.families[family]?.tables.filter(isProgram) ?? [];
  return readLegacyTables(family)
    .filter(({ table }) => !isEmpty(table) && !own.some(({ name }) => name === table.name))
    .map(({ table }) => table);
}
