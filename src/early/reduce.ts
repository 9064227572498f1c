/**
 * A table as an early program may run it: the same chains, with `drop` and `accept` for "the table will certainly do that, having
 * counted exactly the rules counted here", and LET_GO for "let the packet go up the stack, nothing has been decided".
 *
 * A rule stays as it is when each of its tests can be computed and it does nothing but count and decide. Any other rule
 * becomes one that lets go of every packet that it may match: whatever comes behind it sees only packets of which it is certain
 * that the rule does not match them.
 */

import type { Hook } from '../packet/netfilter.ts';
import { conditions, not } from '../policy/expr.ts';
import type { Action, Condition, PolicyChain, PolicyRule, TablePolicy } from '../policy/ir.ts';
import { certainty, isConstant, type Knowledge } from './knowledge.ts';

/** Early programs answer nobody, so the verdict that would is free to say this. It decides about nothing, and counts nothing. */
export const LET_GO: Action = Object.freeze({ kind: 'reject', with: 'tcp-reset' });

/** Why a rule cannot be decided early. */
export type Obstacle = 'unknown field' | 'memory' | 'log' | 'effect' | 'reject';

export interface ReducedRule {
  readonly rule: PolicyRule;
  /** Absent: the rule stays as it is. */
  readonly obstacle?: Obstacle;
}

/**
 * The table for packets of which this is known. Rules keep their counters, chains their numbers. `last`: no table behind this one can
 * drop, so a packet that it accepts goes up the stack, and what counts only on the way there can be left out.
 */
export function reduceTable(policy: TablePolicy, hook: Hook, knowledge: Knowledge, last = true): TablePolicy {
  const chains = policy.chains.map((chain): PolicyChain => {
    const rules = upToLetGo(chain.rules.map((rule) => reduceRule(rule, knowledge).rule));
    return Object.freeze({ ...chain, rules: chain.base === undefined || !last ? rules : upToLastDrop(chain, rules) });
  });
  return Object.freeze({
    family: policy.family,
    table: policy.table,
    chains: Object.freeze(chains.map((chain) => (chain.base?.hook === hook ? chain : withoutOtherHooks(chain)))),
    states: [],
    logs: [],
    counters: policy.counters,
    conntrack: false,
  });
}

/** One rule, and what stands in its way. */
export function reduceRule(rule: PolicyRule, knowledge: Knowledge): ReducedRule {
  const kept: Condition[] = [];
  let obstacle = obstacleOf(rule.action);
  for (const condition of rule.conditions) {
    // It may have run, or be about to: nothing behind it is certain.
    if (condition.kind === 'stateful') return letGo(rule, kept, 'memory');
    const { yes, no, exact } = certainty(condition.expr, knowledge);
    if (condition.kind === 'doom') {
      if (exact && isConstant(no, true)) continue;
      return letGo(rule, kept, obstacle ?? 'unknown field');
    }
    if (exact && (condition.kind === 'require' || obstacle === undefined)) {
      kept.push({ kind: condition.kind, expr: yes });
      if (isConstant(yes, true) && condition.kind === 'hotdrop') break;
      if (isConstant(yes, false) && condition.kind === 'require') break;
      continue;
    }
    if (condition.kind === 'hotdrop') {
      if (exact && isConstant(no, true)) continue;
      return letGo(rule, kept, obstacle ?? 'unknown field');
    }
    // Behind it come only packets that may have passed it.
    obstacle ??= 'unknown field';
    kept.push({ kind: 'require', expr: not(no) });
  }
  if (obstacle !== undefined) return letGo(rule, kept, obstacle);
  return { rule: Object.freeze({ ...rule, conditions: conditions(...kept) }) };
}

function letGo(rule: PolicyRule, kept: readonly Condition[], obstacle: Obstacle): ReducedRule {
  return { rule: Object.freeze({ ...rule, conditions: conditions(...kept), action: LET_GO }), obstacle };
}

function obstacleOf(action: Action): Obstacle | undefined {
  switch (action.kind) {
    case 'log':
    case 'effect':
    case 'reject':
      return action.kind;
    case 'accept':
    case 'drop':
    case 'return':
    case 'continue':
    case 'jump':
    case 'goto':
      return undefined;
  }
}

/** Nothing comes behind a rule that lets every packet go. */
export function letsAllGo({ conditions: list, action }: PolicyRule): boolean {
  return list.length === 0 && (action.kind === LET_GO.kind || action.kind === 'accept');
}

function upToLetGo(rules: readonly PolicyRule[]): readonly PolicyRule[] {
  const at = rules.findIndex(letsAllGo);
  return at === -1 ? rules : rules.slice(0, at + 1);
}

/** Behind the last rule of a built-in chain that can drop, its policy alone decides. */
function upToLastDrop({ base }: PolicyChain, rules: readonly PolicyRule[]): readonly PolicyRule[] {
  if (base?.policy === 'drop') return rules;
  const last = rules.findLastIndex(mayDrop);
  return rules.slice(0, last + 1);
}

/** The rule itself, or a chain that it leads to. */
function mayDrop({ action, conditions: list }: PolicyRule): boolean {
  const leads = action.kind === 'drop' || action.kind === 'jump' || action.kind === 'goto';
  return leads || list.some(({ kind }) => kind === 'hotdrop');
}

/** A built-in chain of another hook: an early program never comes there. */
function withoutOtherHooks(chain: PolicyChain): PolicyChain {
  return chain.base === undefined ? chain : Object.freeze({ ...chain, rules: [] });
}

/** True when some packet can be dropped: only then is a program worth its time. */
export function canDrop(reduced: TablePolicy, hook: Hook): boolean {
  return reaches(reduced, hook, 'drop');
}

/** True when some packet can be accepted, so that what comes behind the table matters. */
export function canAccept(reduced: TablePolicy, hook: Hook): boolean {
  return reaches(reduced, hook, 'accept');
}

function reaches(reduced: TablePolicy, hook: Hook, verdict: 'accept' | 'drop'): boolean {
  const base = reduced.chains.findIndex((chain) => chain.base?.hook === hook);
  const seen = new Set<number>();
  const visit = (index: number): boolean => {
    const chain = reduced.chains[index];
    if (chain === undefined || seen.has(index)) return false;
    seen.add(index);
    return chain.rules.some(({ action, conditions: list }) => {
      if (action.kind === verdict || (verdict === 'drop' && list.some(({ kind }) => kind === 'hotdrop'))) return true;
      return (action.kind === 'jump' || action.kind === 'goto') && visit(action.chain);
    });
  };
  const last = reduced.chains[base]?.rules.at(-1);
  const byPolicy = reduced.chains[base]?.base?.policy === verdict && (last === undefined || !endsAll(last));
  return base !== -1 && (byPolicy || visit(base));
}

/** No packet gets past the rule. */
function endsAll(rule: PolicyRule): boolean {
  return letsAllGo(rule) || (rule.conditions.length === 0 && rule.action.kind === 'drop');
}
