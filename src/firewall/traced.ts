/**
 * TRACE marks a packet, and from there on every table of the kernel writes a line for each rule that the packet matches, with the rule's
 * number and the last comment. A program cannot write these lines, so where raw traces, no table that comes behind it is a program.
 */

import type { Span } from '../diagnostics/source.ts';
import type { TableName } from '../packet/netfilter.ts';
import type { Ruleset } from '../rules/model.ts';
import { differentRules } from '../rules/rule-columns.ts';

/** Where a rule set traces packets, whether or not one reaches the rule; undefined: nowhere. */
export function tracingRule(ruleset: Ruleset): { readonly table: TableName; readonly span?: Span } | undefined {
  for (const table of ruleset.tables) {
    for (const chain of table.chains) {
      for (const { target, span } of differentRules(chain)) {
        if (target.kind !== 'extension' || target.name !== 'TRACE') continue;
        return { table: table.name, ...(span === undefined ? {} : { span }) };
      }
    }
  }
  return undefined;
}
