/** Which rules have come and gone between two rule sets that share Rule objects. Pure. */

import type { Chain, Ruleset } from '../../rules/model.ts';
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
      if (!sameHead(was, chain)) return undefined;
      const edits = diffChain(was, chain).map((edit) => ({ ...edit, table: table.name, chain: chain.name }));
      if (edits.length > MOST || (edits.length > 0 && found.length > 0)) return undefined;
      if (edits.length > 0) found = edits;
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

function diffChain({ rules: was }: Chain, { rules }: Chain): readonly Place[] {
  if (was === rules) return [];
  let from = 0;
  while (from < was.length && from < rules.length && was[from] === rules[from]) from++;
  let [end, newEnd] = [was.length, rules.length];
  while (end > from && newEnd > from && was[end - 1] === rules[newEnd - 1]) {
    end--;
    newEnd--;
  }
  const gone = end - from;
  const edits: Place[] = [];
  for (const [index, rule] of rules.slice(from, newEnd).entries())
    edits.push({ kind: index < gone ? 'replace' : 'insert', at: from + index, rule });
  for (let more = gone - (newEnd - from); more > 0; more--) edits.push({ kind: 'delete', at: newEnd });
  return edits;
}
