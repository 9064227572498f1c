/**
 * Questions that the kernel answers when a packet gets to them, because answering has an effect (connlimit counts the connection).
 *
 * A program that comes to one suspends the packet: the kernel answers between that program and the next one on the same hook, which
 * goes on behind the question. So a packet can meet as many of them as there are programs behind the first.
 */

import type { Hook } from '../packet/netfilter.ts';
import type { Effect } from './effect.ts';
import { fieldMax } from './expr.ts';
import type { FieldName } from './fields.ts';
import type { Condition, Interval, PolicyRule, TablePolicy, Test } from './ir.ts';
import type { Question } from './question.ts';

/** Programs behind the first, at most: how often a packet can be suspended on one hook. */
export const MAX_STAGES = 8;
/** Different questions of one generation and family. */
export const MAX_STAGED = 1024;

/** The question of a condition, if it is one of these. */
export function stagedQuestion(condition: Condition): number | undefined {
  return condition.kind === 'stateful' && condition.test.kind === 'staged' ? condition.test.question : undefined;
}

/** Questions of the rules in these chains (indexes), ascending. */
export function stagedIn(policy: TablePolicy, chains: Iterable<number>): readonly number[] {
  if (policy.staged === undefined) return [];
  const found = new Set<number>();
  for (const chain of chains) {
    for (const { conditions } of policy.chains[chain]!.rules) {
      for (const condition of conditions) {
        const question = stagedQuestion(condition);
        if (question !== undefined) found.add(question);
      }
    }
  }
  return [...found].sort((a, b) => a - b);
}

/** Answering gives the packet another mark. */
export function changesMark(question: Question): boolean {
  return question.kind === 'socket' && question.restoreMark === true;
}

/** What an effect has done is carried out behind all questions: whether that can matter to this one. */
export function mindsEffect(question: Question, effect: Effect): boolean {
  // It can drop the packet itself, whose effects nobody would carry out.
  if (question.kind === 'extension' && question.name === 'connlimit') return true;
  // A mark that is only computed so far is seen by nothing but what looks at marks.
  return effect.change === undefined || effect.writes.length > 0 || changesMark(question);
}

/**
 * How many questions a packet can meet on a hook, at most. Rules that no single packet can meet, because they want different values
 * of one field (ports, addresses), count once.
 */
export function mostStaged(policy: TablePolicy, hook: Hook): number {
  if (policy.staged === undefined) return 0;
  const base = policy.chains.findIndex((chain) => chain.base?.hook === hook);
  if (base === -1) return 0;
  const all = longest(policy, base, () => true);
  if (all <= 1) return all;
  let best = all;
  for (const [key, candidates] of discriminators(policy)) {
    let worst = 0;
    for (const value of candidates) {
      worst = Math.max(
        worst,
        longest(policy, base, (rule) => rule.conditions.every((item) => possible(item, key, value))),
      );
      if (worst >= best) break;
    }
    best = Math.min(best, worst);
    if (best <= 1) break;
  }
  return best;
}

/** The most questions on a way through a chain and what it calls, over rules for which `live` holds. */
function longest(policy: TablePolicy, base: number, live: (rule: PolicyRule) => boolean): number {
  const known = new Map<number, number>();
  const most = (chain: number): number => {
    const before = known.get(chain);
    if (before !== undefined) return before;
    let sum = 0;
    let best = 0;
    for (const rule of policy.chains[chain]!.rules) {
      const { action, conditions } = rule;
      const own = conditions.filter((condition) => stagedQuestion(condition) !== undefined).length;
      if (own === 0 && action.kind !== 'jump' && action.kind !== 'goto') continue;
      if (!live(rule)) continue;
      sum += own;
      if (action.kind === 'jump') sum += most(action.chain);
      if (action.kind === 'goto') best = Math.max(best, sum + most(action.chain));
    }
    const result = Math.max(best, sum);
    known.set(chain, result);
    return result;
  };
  return most(base);
}

/** Values of one field to be tried, and fields: more are not worth the time. */
const MOST_VALUES = 512;
const MOST_FIELDS = 8;

/** Fields that rules with questions, and jumps, ask about, and the values at which their answers change. */
function discriminators(policy: TablePolicy): ReadonlyMap<FieldName, ReadonlySet<bigint>> {
  const found = new Map<FieldName, Set<bigint>>();
  for (const { rules } of policy.chains) {
    for (const { conditions, action } of rules) {
      const jumps = action.kind === 'jump' || action.kind === 'goto';
      if (!jumps && !conditions.some((condition) => stagedQuestion(condition) !== undefined)) continue;
      for (const test of conditions.flatMap(wholeTest)) {
        const values = found.get(test.field) ?? new Set([0n]);
        found.set(test.field, values);
        for (const { min, max } of test.ranges) values.add(min).add(max + 1n);
      }
    }
  }
  const usable = [...found].filter(([, values]) => values.size <= MOST_VALUES);
  return new Map(usable.sort(([, a], [, b]) => b.size - a.size).slice(0, MOST_FIELDS));
}

/** A required test of a whole field, or of its upper bits as ranges of the whole. */
function wholeTest(condition: Condition): readonly Test[] {
  if (condition.kind !== 'require' || condition.expr.kind !== 'test') return [];
  const { field, mask, ranges } = condition.expr;
  if (mask === undefined) return [condition.expr];
  const rest = fieldMax(field) & ~mask;
  if ((rest & (rest + 1n)) !== 0n) return [];
  return [{ kind: 'test', field, ranges: ranges.map(({ min, max }) => ({ min: min & mask, max: max | rest })) }];
}

/** Whether a condition can hold when the field has the value. */
function possible(condition: Condition, field: FieldName, value: bigint): boolean {
  return wholeTest(condition).every((test) => test.field !== field || within(value, test.ranges));
}

function within(value: bigint, ranges: readonly Interval[]): boolean {
  return ranges.some(({ min, max }) => min <= value && value <= max);
}
