/** Which rules have come and gone between two rule sets that share Rule objects. Pure. */

import { differingRules } from '../../rules/difference.ts';
import type { Chain, Ruleset } from '../../rules/model.ts';
import { columnsOf } from '../../rules/rule-columns.ts';
import type { RuleEdit } from './in-place.ts';

/** More than this is quicker done as a new generation. */
const MOST = 64;

/**
 * The edits that make `next` of `old`, all in one chain; a rule is the same exactly when it is the same object. Undefined: other things differ,
 * or too many rules. Empty: nothing differs.
 */
export function diffRules(old: Ruleset, next: Ruleset): readonly RuleEdit[] | undefined {
  if (old.tables.length !== next.tables.length) return undefined;
  let found: readonly RuleEdit[] = [];
  for (const [at, table] of next.tables.entries()) {
    const before = old.tables[at]!;
    if (before === table) continue;
    if (before.name !== table.name || before.chains.length !== table.chains.length) return undefined;
    for (const [index, chain] of table.chains.entries()) {
      const was = before.chains[index]!;
      if (was === chain) continue;
      // Rules that are columns have been read just now, and are none of the old objects.
      if (!sameHead(was, chain) || columnsOf(chain) !== undefined) return undefined;
      const edits = diffChain(was, chain);
      if (edits === undefined || (edits.length > 0 && found.length > 0)) return undefined;
      if (edits.length > 0) found = edits.map((edit) => ({ ...edit, table: table.name, chain: chain.name }));
    }
  }
  return found;
}

function sameHead(was: Chain, chain: Chain): boolean {
  return (
    was.name === chain.name &&
    was.policy === chain.policy &&
    (was.policy === undefined || was.counters === chain.counters)
  );
}

type Place = RuleEdit extends infer E ? (E extends unknown ? Omit<E, 'table' | 'chain'> : never) : never;

function diffChain(was: Chain, { rules }: Chain): readonly Place[] | undefined {
  const { from, gone, added } = differingRules(was.rules, rules);
  if (Math.max(gone.length, added.length) > MOST) return undefined;
  const edits = added.map((rule, index): Place => {
    const kind = index < gone.length ? 'replace' : 'insert';
    return { kind, at: from + index, rule };
  });
  for (let more = gone.length - added.length; more > 0; more--) edits.push({ kind: 'delete', at: from + added.length });
  return edits;
}
