/** What bpfilter makes of a rule set, without a kernel: it can run it, or it says why not. */
import { REFERENCE_FACTS } from '../../src/bpf/reference-facts.ts';
import type { Diagnostic } from '../../src/diagnostics/diagnostic.ts';
import { positionOf } from '../../src/diagnostics/source.ts';
import { hasErrors, planFamily } from '../../src/firewall/plan.ts';
import { parseRuleset } from '../../src/languages/iptables/parse.ts';
import { lowerTable } from '../../src/lowering/lower-table.ts';
import type { Family } from '../../src/packet/netfilter.ts';
import type { TablePolicy } from '../../src/policy/ir.ts';
import type { Ruleset } from '../../src/rules/model.ts';

export type Outcome =
  | { readonly kind: 'applies'; readonly ruleset: Ruleset; readonly policies: readonly TablePolicy[] }
  | { readonly kind: 'refused'; readonly diagnostics: readonly Diagnostic[] };

/** Reads, lowers and compiles. */
export function outcomeOf(name: string, text: string, family: Family): Outcome {
  const { ruleset, diagnostics } = parseRuleset({ name, text }, family);
  if (ruleset === undefined) return { kind: 'refused', diagnostics };
  const { diagnostics: late } = planFamily(ruleset, REFERENCE_FACTS, { counters: false });
  if (hasErrors(late)) return { kind: 'refused', diagnostics: late };
  const policies = ruleset.tables
    .filter((table) => table.name !== 'nat' && table.name !== 'mangle')
    .flatMap((table) => lowerTable(table, family).policy ?? []);
  return { kind: 'applies', ruleset, policies };
}

/** Each different error once, at the line where it occurs first: `not-yet-supported-match (line 7): match "set" ...`. */
export function reasonsOf(diagnostics: readonly Diagnostic[]): readonly string[] {
  const seen = new Map<string, string>();
  for (const { severity, code, message, span } of diagnostics) {
    if (severity !== 'error' || seen.has(`${code} ${message}`)) continue;
    const line = span === undefined ? '' : ` (line ${positionOf(span.source, span.start).line})`;
    seen.set(`${code} ${message}`, `${code}${line}: ${message}`);
  }
  return [...seen.values()];
}
