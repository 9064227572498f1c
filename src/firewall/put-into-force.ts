/** One family's rules compiled and put into force, from whatever session the caller works in. */

import { formatDiagnostic } from '../diagnostics/diagnostic.ts';
import { networkDevices } from '../kernel/devices.ts';
import type { Ruleset } from '../rules/model.ts';
import { wishedDevices } from './early-devices.ts';
import { FirewallError } from './failure.ts';
import { applyPlans } from './install.ts';
import type { Layout } from './layout.ts';
import { namesInForce } from './names-in-force.ts';
import { readObjects } from './objects.ts';
import type { FamilyPlan } from './plan.ts';
import { planFamilies } from './plan-families.ts';
import { explainingFailure, requiredKernelFacts } from './requirements.ts';
import type { Session } from './session.ts';
import type { GenerationState } from './state.ts';
import { readStateInForce } from './store.ts';

export interface PutIntoForce {
  readonly plan: FamilyPlan;
  readonly generation: number;
  readonly warnings: readonly string[];
}

/**
 * Puts the rules into force with the counters that they carry. Call it alone, in the namespace. `settle` is called when the old programs have come to
 * their end. Early drop goes on where it was asked for. @throws FirewallError, SyscallError, with the old rules in force
 */
export function putIntoForce(
  { layout, cookie }: Session,
  ruleset: Ruleset,
  settle: (layout: Layout, state: GenerationState) => void,
): PutIntoForce {
  const wish = readStateInForce(layout)?.families[ruleset.family]?.early;
  const early = wish === undefined ? {} : { early: { wish, devices: wishedDevices(wish, networkDevices()) } };
  const options = { counters: true, strict: false, objects: readObjects([ruleset]), ...early };
  const [planned] = planFamilies([ruleset], requiredKernelFacts(), options, namesInForce(layout));
  const { plan, diagnostics = [] } = planned ?? {};
  if (plan === undefined) {
    const errors = diagnostics.filter(({ severity }) => severity === 'error');
    throw new FirewallError('failed', errors.map(formatDiagnostic).join('\n'));
  }
  const result = withOwnTablesLock(cookie, () =>
    explainingFailure([plan], () => applyPlans(layout, [plan], undefined, (state) => settle(layout, state))),
  );
  return {
    plan,
    generation: result.generation,
    warnings: [...diagnostics.map(formatDiagnostic), ...result.warnings],
  };
}

/** The programs of the system that load the kernel's tables would wait for the lock of the family, which the caller may hold. */
function withOwnTablesLock<T>(cookie: bigint, action: () => T): T {
  const { XTABLES_LOCKFILE: outer } = process.env;
  process.env['XTABLES_LOCKFILE'] = `/run/bpfilter/${cookie}.kernel-tables.lock`;
  try {
    return action();
  } finally {
    if (outer === undefined) delete process.env['XTABLES_LOCKFILE'];
    else process.env['XTABLES_LOCKFILE'] = outer;
  }
}
