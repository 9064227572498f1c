/**
 * Ways through a table along which packets meet effects: how many effects a packet can collect, and which rules ask for what
 * an effect before them has changed.
 */

import type { Hook } from '../packet/netfilter.ts';
import type { Effect } from './effect.ts';
import type { Condition, Expr, PolicyRule, TablePolicy } from './ir.ts';
import { differentRules } from './policy-columns.ts';
import { mindsEffect, stagedQuestion } from './staged.ts';

/** Effects of the rules that packets can reach on a hook, in order of their numbers. */
export function effectsAt(policy: TablePolicy, hook: Hook): readonly number[] {
  const found = new Set<number>();
  for (const chain of chainsFrom(policy, baseOf(policy, hook))) {
    for (const { action } of differentRules(policy.chains[chain]!))
      if (action.kind === 'effect') found.add(action.effect);
  }
  return [...found].sort((a, b) => a - b);
}

function baseOf(policy: TablePolicy, hook: Hook): number {
  return policy.chains.findIndex((chain) => chain.base?.hook === hook);
}

function chainsFrom(policy: TablePolicy, base: number): ReadonlySet<number> {
  const reached = new Set(base === -1 ? [] : [base]);
  for (const chain of reached) {
    for (const { action } of differentRules(policy.chains[chain]!)) {
      if (action.kind === 'jump' || action.kind === 'goto') reached.add(action.chain);
    }
  }
  return reached;
}

/** The most effects that a packet can meet on a hook. */
export function mostEffects(policy: TablePolicy, hook: Hook): number {
  const known = new Map<number, number>();
  const most = (chain: number): number => {
    const before = known.get(chain);
    if (before !== undefined) return before;
    let sum = 0;
    let best = 0;
    for (const { action } of differentRules(policy.chains[chain]!)) {
      if (action.kind === 'effect') {
        if (policy.effects?.[action.effect]?.terminal === true) best = Math.max(best, sum + 1);
        else sum++;
      }
      if (action.kind === 'jump') sum += most(action.chain);
      if (action.kind === 'goto') best = Math.max(best, sum + most(action.chain));
    }
    const result = Math.max(best, sum);
    known.set(chain, result);
    return result;
  };
  const base = baseOf(policy, hook);
  return base === -1 ? 0 : most(base);
}

/** A rule that asks for what an effect before it has changed. */
export interface EffectConflict {
  readonly rule: PolicyRule;
  readonly effect: Effect;
}

/** All such rules of a table, each once. */
export function effectConflicts(policy: TablePolicy): readonly EffectConflict[] {
  if (policy.effects === undefined) return [];
  const conflicts = new Map<PolicyRule, EffectConflict>();
  const done = new Map<string, ReadonlySet<number>>();
  /** Effects that can lie behind a packet at the end of a chain that it entered with `before`. */
  const walk = (chain: number, before: ReadonlySet<number>): ReadonlySet<number> => {
    const key = `${chain} ${[...before].sort().join()}`;
    const known = done.get(key);
    if (known !== undefined) return known;
    const met = new Set(before);
    const gone = new Set<number>();
    for (const rule of policy.chains[chain]!.rules) {
      for (const number of met) {
        const effect = policy.effects![number]!;
        if (!conflicts.has(rule) && disturbs(effect, rule, policy)) conflicts.set(rule, { rule, effect });
      }
      const { action } = rule;
      if (action.kind === 'effect' && !policy.effects![action.effect]!.terminal) met.add(action.effect);
      if (action.kind === 'jump') for (const n of walk(action.chain, met)) met.add(n);
      // Who leaves by a goto meets no other rule of this chain, but those of its callers.
      if (action.kind === 'goto') for (const n of walk(action.chain, met)) gone.add(n);
    }
    for (const n of met) gone.add(n);
    done.set(key, gone);
    return gone;
  };
  policy.chains.forEach((chain, index) => {
    if (chain.base !== undefined) walk(index, new Set());
  });
  return [...conflicts.values()];
}

/** Tests with memory that look at nothing of the packet. */
const BLIND = ['limit', 'nth', 'random', 'staged'];

function disturbs(effect: Effect, rule: PolicyRule, policy: TablePolicy): boolean {
  if (rule.conditions.some((condition) => comesTooLate(effect, condition, policy))) return true;
  if (effect.writes.length === 0 && effect.change === undefined) return false;
  // The kernel was asked before the table, and what it was asked may depend on anything.
  const written = [...effect.writes, 'asked.'];
  const has = (name: string): boolean =>
    written.some((item) => item === name || (item.endsWith('.') && name.startsWith(item)));
  for (const condition of rule.conditions) {
    if (condition.kind === 'stateful') {
      if (effect.writes.length > 0 && !BLIND.includes(condition.test.kind)) return true;
    } else if (readsOf(condition.expr).some(has)) return true;
  }
  // A line of the log shows the packet as it is; marks are computed.
  if (rule.action.kind === 'log') return effect.writes.some((item) => item === 'bytes' || item === 'meta.mark');
  if (rule.action.kind === 'effect' && endsByAddress(policy.effects![rule.action.effect]!, has)) return true;
  const change = rule.action.kind === 'effect' ? policy.effects?.[rule.action.effect]?.change : undefined;
  return change !== undefined && MARK_READS[change.kind].some((name) => effect.writes.includes(name));
}

/** Whether it depends on an address that has been changed if the target ends the traversal; what it asks of TCP headers nothing spoils. */
function endsByAddress({ ends }: Effect, changed: (field: string) => boolean): boolean {
  return ends !== undefined && readsOf(ends).some((field) => /^ip6?\.[sd]addr$/.test(field) && changed(field));
}

/** The kernel answers on the way, and carries effects out at the end. */
function comesTooLate(effect: Effect, condition: Condition, policy: TablePolicy): boolean {
  const question = stagedQuestion(condition);
  return question !== undefined && mindsEffect(policy.staged![question]!, effect);
}

/** What the computation of a mark begins with. */
const MARK_READS = {
  mark: ['meta.mark'],
  connmark: ['ct.mark', 'ct.'],
  save: ['meta.mark', 'ct.mark', 'ct.'],
  restore: ['meta.mark', 'ct.mark', 'ct.'],
} as const;

/** Whether there is a whole TCP header: nothing that an effect leaves has less of it than before. */
function isShortTest({ field, ranges }: Extract<Expr, { kind: 'test' }>): boolean {
  return (
    field === 'transport.length' &&
    ranges.every(({ min, max }) => (min === 0n && max <= 19n) || (min <= 20n && max > 0xffffn))
  );
}

/** Fields that an expression reads, and `bytes` for whatever looks at bytes of the packet by itself. */
function readsOf(expr: Expr): readonly string[] {
  switch (expr.kind) {
    case 'constant':
      return [];
    case 'test':
      return isShortTest(expr) ? [] : [expr.field];
    case 'not':
      return readsOf(expr.expr);
    case 'all':
    case 'any':
      return expr.exprs.flatMap(readsOf);
    default:
      return ['bytes', 'tcp.options', 'transport.length'];
  }
}
