/** A table while a file is read: chains that can still be declared, filled and emptied. */

import type { Span } from '../../diagnostics/source.ts';
import { HOOKS, TABLE_HOOKS, type TableName } from '../../packet/netfilter.ts';
import { type Chain, type Counters, type Rule, type Table, ZERO_COUNTERS } from '../../rules/model.ts';
import { chainOfColumns } from '../../rules/rule-columns.ts';
import type { ColumnsBuilder } from './quick/columns-builder.ts';

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
  /** Of a chain that is read quickly they are made when they are asked for, and from then on it is read as any other. */
  rules: Rule[];
  span?: Span;
  /** The rules, as long as they are only added to. */
  readonly columns?: ColumnsBuilder | undefined;
  /** Begins columns with the rules that there are; undefined when `rules` was asked for before. */
  beginColumns?(begin: (before: readonly Rule[]) => ColumnsBuilder): ColumnsBuilder | undefined;
  /** Adds rules at the end, with nothing asked. */
  append?(added: readonly Rule[]): void;
  /** The chain of a finished table that this one is, as long as nobody has asked for its rules. */
  readonly untouched?: Chain | undefined;
}

/** A chain of a finished table, to be changed. Its rules are copied when they are asked for. */
export function openedChain(chain: Chain): MutableChain {
  const { name, policy, counters, span } = chain;
  let rules: Rule[] | undefined;
  return {
    name,
    ...(policy === undefined ? {} : { policy }),
    counters,
    ...(span === undefined ? {} : { span }),
    get rules() {
      rules ??= [...chain.rules];
      return rules;
    },
    set rules(other) {
      rules = other;
    },
    get untouched() {
      return rules === undefined ? chain : undefined;
    },
  };
}

/** A chain without rules. */
export function emptyChain(about: Pick<MutableChain, 'name' | 'policy' | 'counters' | 'span'>): MutableChain {
  let rules: Rule[] = [];
  let columns: ColumnsBuilder | undefined;
  let given = false;
  return {
    ...about,
    get rules() {
      if (columns !== undefined) {
        const made = columns.columns();
        rules = Array.from({ length: made.count }, (_, at) => made.rule(at));
        columns = undefined;
      }
      given = true;
      return rules;
    },
    set rules(other) {
      rules = other;
      columns = undefined;
      given = true;
    },
    get columns() {
      return columns;
    },
    beginColumns(begin) {
      if (!given) columns ??= begin(rules);
      return columns;
    },
    append(added) {
      if (columns === undefined) for (const rule of added) rules.push(rule);
      else for (const rule of added) columns.addOther(rule);
    },
  };
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
    chains.set(
      hook,
      emptyChain({ name: hook, policy: old?.policy ?? 'ACCEPT', counters: old?.counters ?? ZERO_COUNTERS }),
    );
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

function freezeChain(chain: MutableChain): Chain {
  const { name, policy, counters, columns, span, untouched } = chain;
  if (untouched?.name === name && untouched.policy === policy && untouched.counters === counters) return untouched;
  const about = {
    name,
    ...(policy === undefined ? {} : { policy }),
    counters,
    ...(span === undefined ? {} : { span }),
  };
  if (columns !== undefined) return chainOfColumns(about, columns.columns());
  return Object.freeze({ ...about, rules: Object.freeze(chain.rules) });
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
