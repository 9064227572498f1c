/**
 * The rules of a large chain as columns. Most of a long list are rules of a few *kinds*, which differ only in addresses and ports: these are
 * numbers in typed arrays, and objects are made only for a rule that somebody asks for.
 *
 * A chain whose rules are columns looks like any other: its `rules` are all made when they are first asked for. Whoever goes through
 * thousands of rules may ask `columnsOf` first.
 */
import type { SourceText } from '../diagnostics/source.ts';
import type { Chain, Rule } from './model.ts';

/** What rules of one kind differ in, each an interval of 32-bit numbers; addresses in host order. */
export const SLOTS = ['source', 'destination', 'sport', 'dport'] as const;
/** Index in SLOTS. */
export type Slot = number;

/** The interval of each rule, both ends inclusive; what stands for rules without the slot means nothing. */
export interface SlotColumn {
  readonly lo: Uint32Array;
  readonly hi: Uint32Array;
}

export interface RuleKind {
  /** A rule of the kind. */
  readonly example: Rule;
  /** Its value in each slot. */
  readonly slots: readonly { readonly slot: Slot; readonly lo: number; readonly hi: number }[];
}

/** The kind of rules that are objects. */
export const OTHER = 0xffff;

export interface RuleColumns {
  readonly count: number;
  readonly kinds: readonly RuleKind[];
  /** By rule: the number of its kind, or OTHER. */
  readonly kind: Uint16Array;
  /** The rules that are objects, by their places (from 0), ascending. */
  readonly others: ReadonlyMap<number, Rule>;
  /** By slot; undefined where no kind has it. */
  readonly values: readonly (SlotColumn | undefined)[];
  readonly source: SourceText;
  /** Place of each rule's line in the source. */
  readonly start: Uint32Array;
  readonly end: Uint32Array;
  /** 0, or 1 + the number of characters in front of `-A` in a line that is written as iptables-save writes it from there on. */
  readonly asWritten: Uint8Array;
  /** Counters below 2^53 of rules that are no objects; absent: all zero. */
  readonly packets?: Float64Array;
  readonly bytes?: Float64Array;
  /** Makes the object for a rule. */
  rule(at: number): Rule;
}

const COLUMNS = new WeakMap<Chain, RuleColumns>();

/** The columns of a chain that has some. */
export function columnsOf(chain: Chain): RuleColumns | undefined {
  return COLUMNS.get(chain);
}

/** A chain whose rules are these. */
export function chainOfColumns(about: Omit<Chain, 'rules'>, columns: RuleColumns): Chain {
  let rules: readonly Rule[] | undefined;
  const chain: Chain = Object.freeze({
    ...about,
    get rules() {
      rules ??= Object.freeze(Array.from({ length: columns.count }, (_, at) => columns.rule(at)));
      return rules;
    },
  });
  COLUMNS.set(chain, columns);
  return chain;
}

export function ruleCount(chain: Chain): number {
  return columnsOf(chain)?.count ?? chain.rules.length;
}

/** One rule of each kind, and all the others: enough for whoever does not ask for addresses and ports. */
export function differentRules(chain: Chain): readonly Rule[] {
  const columns = columnsOf(chain);
  return columns === undefined
    ? chain.rules
    : [...columns.kinds.map(({ example }) => example), ...columns.others.values()];
}
