/** `bpfilter adopt`: takes over what the kernel's iptables filters with. */

import { adoptionOf, findAdoptable, finishAdopting, rulesetOf } from '../firewall/adopt.ts';
import { type ApplyResult, applyPlans } from '../firewall/install.ts';
import type { Layout } from '../firewall/layout.ts';
import { readObjects } from '../firewall/objects.ts';
import { type FamilyPlan, hasErrors } from '../firewall/plan.ts';
import { namedInForce, planFamilies } from '../firewall/plan-families.ts';
import { explainingFailure, requiredKernelFacts } from '../firewall/requirements.ts';
import { withExclusiveSession } from '../firewall/session.ts';
import { readStateInForce } from '../firewall/store.ts';
import { FAMILIES } from '../packet/netfilter.ts';
import { wholeNumber } from './arguments.ts';
import { EXIT, type Invocation } from './command.ts';
import { chosenFamily, report } from './operands.ts';
import { netnsOf } from './options.ts';
import type { Output } from './output.ts';
import { placementTable } from './placement-table.ts';

export async function run({ options, output }: Invocation): Promise<number> {
  const waitSeconds = wholeNumber('wait', options['wait']) ?? 0;
  const chosen = chosenFamily(options);
  const families = FAMILIES.filter((family) => chosen === undefined || family === chosen);
  return withExclusiveSession(netnsOf(options), waitSeconds, ({ layout }) =>
    adopt(layout, families, options['strict'] === true, output),
  );
}

function adopt(
  layout: Layout,
  families: readonly (typeof FAMILIES)[number][],
  strict: boolean,
  output: Output,
): number {
  const state = readStateInForce(layout);
  const open = families.filter((family) => !finishAdopting(layout, state, family));
  const adopted = open.flatMap((family) => findAdoptable(family) ?? []);
  if (adopted.length === 0) {
    output.err('bpfilter adopt: there is nothing to adopt');
    return EXIT.done;
  }
  const rulesets = adopted.map(rulesetOf);
  const planOptions = { counters: true, strict, objects: readObjects(rulesets) };
  const results = planFamilies(rulesets, requiredKernelFacts(), planOptions, namedInForce(state));
  const diagnostics = results.flatMap((result) => result.diagnostics);
  report(diagnostics, output);
  if (diagnostics.some((item) => item.code === 'kernel-lacks-member')) return EXIT.unsupported;
  if (hasErrors(diagnostics)) return EXIT.usage;
  const plans = results.flatMap(({ plan }): FamilyPlan[] => (plan === undefined ? [] : [plan]));
  const result: ApplyResult = explainingFailure(plans, () => applyPlans(layout, plans, adoptionOf(layout, adopted)));
  for (const warning of result.warnings) output.err(`bpfilter adopt: warning: ${warning}`);
  output.out(placementTable(plans.flatMap((plan) => plan.placements)));
  return EXIT.done;
}
