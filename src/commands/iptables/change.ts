/** Reading and replacing the rules of one family in the current network namespace, alone and with their counters. */

import { formatDiagnostic } from '../../diagnostics/diagnostic.ts';
import { FirewallError } from '../../firewall/failure.ts';
import { applyPlans } from '../../firewall/install.ts';
import { namesInForce } from '../../firewall/names-in-force.ts';
import { readObjects } from '../../firewall/objects.ts';
import { hasErrors } from '../../firewall/plan.ts';
import { planFamilies } from '../../firewall/plan-families.ts';
import { readRuleset } from '../../firewall/read.ts';
import { explainingFailure, requiredKernelFacts } from '../../firewall/requirements.ts';
import { type Session, withExclusiveSession, withSession } from '../../firewall/session.ts';
import type { Family } from '../../packet/netfilter.ts';
import type { Ruleset } from '../../rules/model.ts';

/** The rules of a family with live counters; undefined when there are none. */
export function currentRules(family: Family): Ruleset | undefined {
  return withSession(undefined, ({ layout }) => readRuleset(layout, family)?.ruleset);
}

/**
 * Reads the rules, lets `change` make others of them, and puts those into force; nobody else changes them meanwhile.
 * `change` returns the new rules, or none when there is nothing to do. Throws with the old rules in force.
 */
export function changeRules<T extends { readonly ruleset?: Ruleset | undefined }>(
  family: Family,
  waitSeconds: number,
  change: (now: Ruleset | undefined) => T,
): T {
  return withExclusiveSession(undefined, waitSeconds, (session) => {
    const result = change(readRuleset(session.layout, family)?.ruleset);
    if (result.ruleset !== undefined) putIntoForce(session, result.ruleset);
    return result;
  });
}

function putIntoForce(session: Session, ruleset: Ruleset): void {
  const { layout } = session;
  const results = planFamilies(
    [ruleset],
    requiredKernelFacts(),
    { counters: true, strict: false, objects: readObjects([ruleset]) },
    namesInForce(layout),
  );
  const diagnostics = results.flatMap((result) => result.diagnostics);
  if (hasErrors(diagnostics)) {
    const errors = diagnostics.filter((item) => item.severity === 'error');
    throw new FirewallError('failed', errors.map(formatDiagnostic).join('\n'));
  }
  const plans = results.flatMap(({ plan }) => (plan === undefined ? [] : [plan]));
  // The programs of the system that load the kernel's tables would wait for the lock that this process holds.
  const { XTABLES_LOCKFILE: outer } = process.env;
  process.env['XTABLES_LOCKFILE'] = `/run/bpfilter/${session.cookie}.kernel-tables.lock`;
  try {
    explainingFailure(plans, () => applyPlans(layout, plans));
  } finally {
    if (outer === undefined) delete process.env['XTABLES_LOCKFILE'];
    else process.env['XTABLES_LOCKFILE'] = outer;
  }
}
