/** A table while a file is read: chains that can still be declared, filled and emptied. */

import type { Span } from '../../diagnostics/source.ts';
import { HOOKS, TABLE_HOOKS, type TableName } from '../../packet/netfilter.ts';
import { type Chain, type Counters, type Rule, type Table, ZERO_COUNTERS } from '../../rules/model.ts';

/** Chains by name. */
export interface TableDraft {
  readonly name: TableName;
  readonly span: Span;
  readonly chains: Map<string, MutableChain>;
}

export interface MutableChain {
  name: string;
  policy?: 'ACCEPT' | 'DROP';
  counters: Counters;
  rules: Rule[];
  span?: Span;
}

/**
 * A table as the kernel has it before the first rule: built-in chains only. What an earlier part of the same file left
 * as policies stays, because iptables-restore flushes rules and chains but not policies.
 */
export function createTable(name: TableName, span: Span, earlier: Table | undefined): TableDraft {
  const chains = new Map<string, MutableChain>();
  const hooks: readonly string[] = TABLE_HOOKS[name].hooks;
  for (const hook of HOOKS.filter((known) => hooks.includes(known))) {
    const old = earlier?.chains.find((chain) => chain.name === hook);
    chains.set(hook, {
      name: hook,
      policy: old?.policy ?? 'ACCEPT',
      counters: old?.counters ?? ZERO_COUNTERS,
      rules: [],
    });
  }
  return { name, span, chains };
}

/** The table as data: built-in chains in hook order, then user chains sorted as libiptc sorts them (strcmp). */
export function freezeTable(draft: TableDraft): Table {
  const chains = [...draft.chains.values()];
  const builtIn = chains.filter((chain) => chain.policy !== undefined);
  const user = chains.filter((chain) => chain.policy === undefined).sort((a, b) => compareBytes(a.name, b.name));
  return Object.freeze({
    name: draft.name,
    chains: Object.freeze([...builtIn, ...user].map(freezeChain)),
    span: draft.span,
  });
}

function freezeChain({ name, policy, counters, rules, span }: MutableChain): Chain {
  return Object.freeze({
    name,
    ...(policy === undefined ? {} : { policy }),
    counters,
    rules: Object.freeze(rules),
    ...(span === undefined ? {} : { span }),
  });
}

/** Order of the UTF-8 bytes, which is the order of code points. */
function compareBytes(a: string, b: string): number {
  const left = [...a];
  const right = [...b];
  for (let at = 0; at < left.length && at < right.length; at++) {
    const difference = (left[at]?.codePointAt(0) ?? 0) - (right[at]?.codePointAt(0) ?? 0);
    if (difference !== 0) return difference;
  }
  return left.length - right.length;
}
