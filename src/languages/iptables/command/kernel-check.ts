/** What the kernel refuses when a whole table is loaded, in the words of a program that only gets an error number. */

import type { Family } from '../../../packet/netfilter.ts';
import { endsChain, jumpTarget } from '../../../rules/chain-graph.ts';
import { differingRules } from '../../../rules/difference.ts';
import type { Rule, Table } from '../../../rules/model.ts';
import { differentRules } from '../../../rules/rule-columns.ts';
import { checkTable } from '../check-table.ts';
import { createReport } from '../report.ts';
import { type Failed, INVALID_ARGUMENT } from './table-edit.ts';

/** ELOOP or EINVAL, or undefined when the kernel takes the table. */
export function kernelRefusal(table: Table, family: Family): Failed | undefined {
  if (jumpsToBuiltIn(table)) return INVALID_ARGUMENT;
  const report = createReport({ name: 'iptables', text: '' });
  checkTable(table, family, report);
  const [first] = report.found;
  if (first === undefined) return undefined;
  return report.found.some((item) => item.code === 'jump-circle')
    ? { failed: 'Too many levels of symbolic links' }
    : INVALID_ARGUMENT;
}

/**
 * The same for a table that differs from one that the kernel has taken. When all that has happened is that rules without jumps have come, and rules
 * that let packets go on have gone, only the new rules are looked at.
 */
export function changeRefusal(before: Table | undefined, after: Table, family: Family): Failed | undefined {
  const rules = before === undefined ? undefined : newRules(before, after, family);
  if (rules?.every((rule) => allowedEverywhere(rule, after, family)) === true) return undefined;
  return kernelRefusal(after, family);
}

function newRules(before: Table, after: Table, family: Family): readonly Rule[] | undefined {
  if (before.chains.length !== after.chains.length) return undefined;
  const found: Rule[] = [];
  for (const [at, chain] of after.chains.entries()) {
    const was = before.chains[at]!;
    if (was.name !== chain.name || was.policy !== chain.policy) return undefined;
    const { gone, added } = differingRules(was.rules, chain.rules);
    if (gone.some((rule) => endsChain(rule, family)) || added.some((rule) => jumpTarget(rule) !== undefined))
      return undefined;
    found.push(...added);
  }
  return found;
}

/** Whether the kernel takes the rule in every chain of the table. */
function allowedEverywhere(rule: Rule, { name, chains }: Table, family: Family): boolean {
  const builtIn = chains.filter(({ policy }) => policy !== undefined).map((chain) => ({ ...chain, rules: [rule] }));
  return kernelRefusal({ name, chains: builtIn }, family) === undefined;
}

/** Only chains of users can be jumped to: their heads are where the kernel looks for the end of a jump. */
function jumpsToBuiltIn({ chains }: Table): boolean {
  const builtIn = new Set(chains.flatMap(({ name, policy }) => (policy === undefined ? [] : [name])));
  return chains.some((chain) =>
    differentRules(chain).some(
      ({ target }) => (target.kind === 'jump' || target.kind === 'goto') && builtIn.has(target.chain),
    ),
  );
}
