/** What bpfilter makes of a rule set, without a kernel: where its tables run, or what is wrong with it. */
import { REFERENCE_FACTS } from '../../src/bpf/reference-facts.ts';
import type { Diagnostic } from '../../src/diagnostics/diagnostic.ts';
import { positionOf } from '../../src/diagnostics/source.ts';
import { type Share, shareOf } from '../../src/firewall/placement.ts';
import { planFamily } from '../../src/firewall/plan.ts';
import { parseRuleset } from '../../src/languages/iptables/parse.ts';
import { lowerTable } from '../../src/lowering/lower-table.ts';
import type { Family } from '../../src/packet/netfilter.ts';
import type { TablePolicy } from '../../src/policy/ir.ts';
import type { Ruleset } from '../../src/rules/model.ts';

export type Outcome =
  | {
      readonly kind: 'applies';
      readonly ruleset: Ruleset;
      /** Tables that run as programs. */
      readonly policies: readonly TablePolicy[];
      readonly share: Share;
      /** Why other tables than nat stay with the kernel. */
      readonly reasons: readonly Diagnostic[];
    }
  | { readonly kind: 'refused'; readonly diagnostics: readonly Diagnostic[] };

/** Reads, lowers and compiles. */
export function outcomeOf(name: string, text: string, family: Family): Outcome {
  const { ruleset, diagnostics } = parseRuleset({ name, text }, family);
  if (ruleset === undefined) return { kind: 'refused', diagnostics };
  const { plan, diagnostics: late } = planFamily(ruleset, REFERENCE_FACTS, { counters: false });
  if (plan === undefined) return { kind: 'refused', diagnostics: late };
  const kernel = plan.kernelTables.map((table) => table.name);
  const policies = ruleset.tables
    .filter((table) => !kernel.includes(table.name))
    .flatMap((table) => lowerTable(table, family).policy ?? []);
  return { kind: 'applies', ruleset, policies, share: shareOf(plan.placements), reasons: late };
}

/** Each different message once, at the line where it occurs first: `unknown-option (line 7): unknown option ...`. */
export function reasonsOf(diagnostics: readonly Diagnostic[]): readonly string[] {
  const seen = new Map<string, string>();
  for (const { code, message, span } of diagnostics) {
    if (seen.has(`${code} ${message}`)) continue;
    const line = span === undefined ? '' : ` (line ${positionOf(span.source, span.start).line})`;
    seen.set(`${code} ${message}`, `${code}${line}: ${message}`);
  }
  return [...seen.values()];
}
