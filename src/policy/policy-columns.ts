/**
 * The rules of a large chain as columns: rules of one *kind* have the same conditions and the same action, but for tests of addresses and
 * ports whose intervals are numbers in typed arrays. A chain whose rules are columns looks like any other: its `rules` are all made when
 * they are first asked for. Whoever goes through thousands of rules may ask `policyColumnsOf` first.
 */
import type { FieldName } from './fields.ts';
import type { Action, Condition, PolicyChain, PolicyRule } from './ir.ts';

export interface PolicySlot {
  /** Index in the columns' values. */
  readonly slot: number;
  /** Which of the kind's conditions requires that the field lies in the rule's interval; no other condition asks about the field. */
  readonly condition: number;
  readonly field: FieldName;
}

export interface PolicyKind {
  /** Those of some rule of the kind. */
  readonly conditions: readonly Condition[];
  readonly action: Action;
  readonly slots: readonly PolicySlot[];
}

/** The kind of rules that are objects. */
export const OTHER_KIND = 0xffff;

/** Inclusive intervals of 32-bit numbers, by rule. */
export interface IntervalColumn {
  readonly lo: Uint32Array;
  readonly hi: Uint32Array;
}

export interface PolicyColumns extends RuleSequence {
  readonly kinds: readonly PolicyKind[];
  /** By rule: the number of its kind, or OTHER_KIND. */
  readonly kind: Uint16Array;
  /** The rules that are objects, by their places (from 0), ascending. */
  readonly others: ReadonlyMap<number, PolicyRule>;
  readonly values: readonly (IntervalColumn | undefined)[];
  /** Counter of the first rule; the others' follow. */
  readonly firstCounter: number;
  /** The rule, or another of its kind. */
  like(index: number): PolicyRule;
  /** One rule of each kind, and all that are of none, in their order; with their places, and without. */
  readonly places: readonly (readonly [number, PolicyRule])[];
  readonly different: readonly PolicyRule[];
}

/** Rules by their places: a list of rules, or columns, which make the rule. */
export interface RuleSequence {
  readonly length: number;
  at(index: number): PolicyRule | undefined;
}

const COLUMNS = new WeakMap<PolicyChain, PolicyColumns>();

export function policyColumnsOf(chain: PolicyChain): PolicyColumns | undefined {
  return COLUMNS.get(chain);
}

/** A chain whose rules are these. */
export function policyChainOfColumns(about: Omit<PolicyChain, 'rules'>, columns: PolicyColumns): PolicyChain {
  let rules: readonly PolicyRule[] | undefined;
  const chain: PolicyChain = Object.freeze({
    ...about,
    get rules() {
      rules ??= Object.freeze(Array.from({ length: columns.length }, (_, at) => columns.at(at)!));
      return rules;
    },
  });
  COLUMNS.set(chain, columns);
  return chain;
}

/** The rules of a chain, for whoever asks for some of them. */
export function ruleSequence(chain: PolicyChain): RuleSequence {
  return COLUMNS.get(chain) ?? chain.rules;
}

/**
 * One rule of each kind, and all the others, in order of their first places: enough for whoever does not ask for values, counters and
 * how many there are. Every jump, LOG and effect is among the others.
 */
export function differentRules(chain: PolicyChain): readonly PolicyRule[] {
  return COLUMNS.get(chain)?.different ?? chain.rules;
}

/** The same with their places (from 0). */
export function differentPlaces(chain: PolicyChain): Iterable<readonly [number, PolicyRule]> {
  return COLUMNS.get(chain)?.places ?? chain.rules.entries();
}

export function isColumns(rules: RuleSequence): rules is PolicyColumns {
  return 'kinds' in rules;
}

/** A rule with the same action and the same conditions, values aside: the rule itself, or one of its kind. */
export function ruleLike(rules: RuleSequence, at: number): PolicyRule {
  return isColumns(rules) ? rules.like(at) : rules.at(at)!;
}

export function counterAt(rules: RuleSequence, at: number): number {
  return isColumns(rules) ? rules.firstCounter + at : rules.at(at)!.counter;
}
