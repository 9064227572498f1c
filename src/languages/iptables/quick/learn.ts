/**
 * Which lines are rules of a kind: found out from one that the reader of everything has read. What another line of the same words
 * says can differ from it only in the values that stand in the slots, if the example has each value just where it belongs, and nothing
 * else in a rule looks at addresses and ports.
 */

import type { MatchExtension, TargetExtension } from '../../../extensions/contract.ts';
import { findMatch, findTarget } from '../../../extensions/registry.ts';
import { type Family, TABLE_HOOKS, type TableName } from '../../../packet/netfilter.ts';
import type { OptionUse, Rule } from '../../../rules/model.ts';
import { SLOTS, type Slot } from '../../../rules/rule-columns.ts';

export interface SlotValue {
  readonly slot: Slot;
  readonly lo: number;
  readonly hi: number;
}

/** Matches that read nothing of the rule but its protocol, and that the kernel takes in any chain of the table. */
const MATCHES: ReadonlySet<string> = new Set([
  'comment',
  'conntrack',
  'icmp',
  'icmp6',
  'mark',
  'pkttype',
  'state',
  'tcp',
  'udp',
]);
const TARGETS: ReadonlySet<string> = new Set(['REJECT']);

/** Whether lines with the words of this rule's line are rules of one kind, these slots aside. */
export function isKind(rule: Rule, slots: readonly SlotValue[], family: Family, table: TableName): boolean {
  const { target } = rule;
  switch (target.kind) {
    // Where a jump leads depends on the chains that there are.
    case 'jump':
    case 'goto':
      return false;
    case 'extension':
      if (!TARGETS.has(target.name) || !goesAnywhere(findTarget(target.name, family), target.options, table))
        return false;
      break;
    case 'none':
    case 'verdict':
  }
  for (const { name, options } of rule.matches) {
    if (!MATCHES.has(name) || !goesAnywhere(findMatch(name, family), options, table)) return false;
  }
  return slots.every((value) => isWhereItBelongs(rule, value));
}

/** No chain of the table is forbidden to it. */
function goesAnywhere(
  extension: MatchExtension | TargetExtension | undefined,
  options: Readonly<Record<string, OptionUse>>,
  table: TableName,
): boolean {
  if (extension === undefined) return false;
  if (extension.tables !== undefined && !extension.tables.includes(table)) return false;
  const allowed = extension.hooks ?? extension.hooksFor?.(options);
  return allowed === undefined || TABLE_HOOKS[table].hooks.every((hook) => allowed.includes(hook));
}

function isWhereItBelongs({ ip, matches }: Rule, { slot, lo, hi }: SlotValue): boolean {
  const name = SLOTS[slot];
  if (name === 'source' || name === 'destination') {
    const selector = ip[name];
    if (selector === undefined || selector.invert) return false;
    const mask = ~(lo ^ hi) >>> 0;
    return selector.value.address === BigInt(lo) && selector.value.mask === BigInt(mask);
  }
  if (name === undefined) return false;
  const uses = matches.flatMap((match) => {
    const use = match.name === 'tcp' || match.name === 'udp' ? match.options[name] : undefined;
    return use === undefined ? [] : [use];
  });
  const [use] = uses;
  if (uses.length !== 1 || use === undefined || use.invert || use.value.kind !== 'range') return false;
  return use.value.min === BigInt(lo) && use.value.max === BigInt(hi);
}
