import { formatDiagnostic } from '../../src/diagnostics/diagnostic.ts';
import { parseRuleset } from '../../src/languages/iptables/parse.ts';
import { lowerTable } from '../../src/lowering/lower-table.ts';
import type { Family } from '../../src/packet/netfilter.ts';
import type { TablePolicy } from '../../src/policy/ir.ts';

/** Restore text to the policies of its tables. Throws, with every diagnostic printed, if it cannot be read or run. */
export function policiesOf(text: string, family: Family): readonly TablePolicy[] {
  const { ruleset, diagnostics } = parseRuleset({ name: '<test>', text }, family);
  if (ruleset === undefined) throw new Error(diagnostics.map(formatDiagnostic).join('\n'));
  return ruleset.tables.map((table) => {
    const lowered = lowerTable(table, family);
    if (lowered.policy === undefined) throw new Error(lowered.diagnostics.map(formatDiagnostic).join('\n'));
    return lowered.policy;
  });
}

/** The policy of one filter table given by its rules; policies are ACCEPT unless a chain line says otherwise. */
export function filterPolicy(family: Family, ...lines: readonly string[]): TablePolicy {
  const [policy] = policiesOf(`*filter\n${lines.join('\n')}\nCOMMIT\n`, family);
  return policy!;
}
