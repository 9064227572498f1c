/**
 * Code that many rules of a run share: what is left of them behind their boxes differs only in which memory they use, and that the payload
 * of their rows says (image.ts). Ten thousand rules with a limit of their own are one piece of code and ten thousand cells of memory.
 *
 * A row's parameter is the byte offset of the rule's first state of its own in the state map; a rule without one that logs: of its record.
 */
import type { Action, Condition, PolicyRule, StatefulTest, StateObject } from '../policy/ir.ts';
import { stagedQuestion } from '../policy/staged.ts';

export interface SharedCode {
  /** TablePolicy.states. */
  readonly states: readonly StateObject[];
  readonly parameterOf: (rule: PolicyRule) => number;
}

/** Equal for rules whose code differs only by their rows' parameters; undefined for rules that need code of their own. */
export function sharedKey(
  { action }: PolicyRule,
  conditions: readonly Condition[],
  states: readonly StateObject[],
): string | undefined {
  const does = actionKey(action);
  if (does === undefined) return undefined;
  if (conditions.length === 0) return does;
  // A packet that is suspended does not take the look-up's cells with it.
  if (conditions.some((condition) => stagedQuestion(condition) !== undefined)) return undefined;
  // Its action is not what the others of its kind do.
  if (conditions.some(({ kind }) => kind === 'doom')) return undefined;
  const first = firstOwnState(conditions);
  const parts: string[] = [];
  for (const condition of conditions) {
    if (condition.kind !== 'stateful') {
      parts.push(JSON.stringify(condition, plain));
      continue;
    }
    const key = testKey(condition.test, first, states);
    if (key === undefined) return undefined;
    parts.push(`${condition.invert ? 'unless' : 'if'} ${key}`);
  }
  return `${does} ${parts.join()}`;
}

/** The first state among the conditions that belongs to this rule alone; undefined without one. */
export function firstOwnState(conditions: readonly Condition[]): number | undefined {
  for (const condition of conditions) {
    if (condition.kind === 'stateful' && isOwnState(condition.test)) return condition.test.state;
  }
  return undefined;
}

/** Tests whose memory no other rule uses, in one cell of the state map. */
export function isOwnState(test: StatefulTest): test is StatefulTest & { readonly kind: 'limit' | 'nth' | 'quota' } {
  return test.kind === 'limit' || test.kind === 'nth' || test.kind === 'quota';
}

/** A rule's code is its own when others come back to it. */
function actionKey(action: Action): string | undefined {
  switch (action.kind) {
    case 'accept':
    case 'drop':
    case 'return':
    case 'continue':
    case 'log':
      return action.kind;
    case 'reject':
      return `reject ${action.with}`;
    case 'goto':
      return `goto ${action.chain}`;
    case 'effect':
      return `effect ${action.effect}`;
    case 'jump':
      return undefined;
  }
}

function testKey(test: StatefulTest, first: number | undefined, states: readonly StateObject[]): string | undefined {
  if (isOwnState(test)) return `${test.kind} ${test.state - first!}`;
  if (test.kind === 'random') return `random ${test.probability}`;
  // Anything else may leave the program in between, and with it what the look-up knows.
  if (test.kind !== 'recent' && test.kind !== 'hashlimit') return undefined;
  const { state, ...question } = test;
  return JSON.stringify([question, states[state]], plain);
}

function plain(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? `${value}n` : value;
}
