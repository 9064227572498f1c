/**
 * How chains call each other in one hook's program, and how each gets back.
 *
 * Every chain is emitted once. A chain that always returns to the same place jumps there. Any other has a *return slot* that
 * its caller fills with the number of a resume point. Slots belong to levels: a chain's level is the longest path to it, so
 * while a chain runs nothing above its level is overwritten. `-g` hands the caller's own way back on.
 *
 * The verifier can be shown this in two ways:
 *
 *     exact   slots hold constants it knows: every chain is verified once for each way to reach it, as if it were inlined
 *     loop    slots hold numbers it does not know: every return goes through one loop head that branches to the resume point,
 *             so everything is verified once. Costs a few nanoseconds for each return.
 */

import type { Hook } from '../../packet/netfilter.ts';
import type { TablePolicy } from '../../policy/ir.ts';
import { differentPlaces, differentRules, type RuleSequence, ruleSequence } from '../../policy/policy-columns.ts';

/** A place where the walk goes on: behind a rule, or at the policy of the built-in chain. */
export type ResumePoint =
  | { readonly number: number; readonly kind: 'after'; readonly chain: number; readonly rule: number }
  | { readonly number: number; readonly kind: 'policy' };

export interface PlannedChain {
  readonly chain: number;
  /** Where the end of the chain and RETURN lead. */
  readonly returns: readonly ResumePoint[];
  /** Index of the return slot; absent when there is only one place to return to. */
  readonly slot?: number;
  /** In how many ways the walk can get here, each of them verified on its own in exact mode. */
  readonly contexts: number;
}

export interface ChainPlan {
  readonly base: number;
  readonly mode: 'exact' | 'loop';
  readonly chains: ReadonlyMap<number, PlannedChain>;
  readonly slots: number;
  /** The highest number of a resume point. */
  readonly lastNumber: number;
  /** The point behind a rule that jumps. */
  after(chain: number, rule: number): ResumePoint | undefined;
}

/** Verifying in exact mode may cost this many times as much as in loop mode, or this many rules. */
const EXACT_FACTOR = 3;
const EXACT_RULES = 200;
/** What a LOG rule costs to verify in exact mode, in rules. */
const LOG_RULES = 10;

/**
 * Plans the program of one hook, or undefined when the table has no chain there. `loop` demands loop mode even where exact mode
 * looks cheap.
 */
export function planChains(
  policy: TablePolicy,
  hook: Hook,
  loop = false,
  cost: ChainCost = countRules,
): ChainPlan | undefined {
  const base = policy.chains.findIndex((chain) => chain.base?.hook === hook);
  if (base === -1) return undefined;
  const order = topologicalOrder(policy, base);
  const points = new Map<string, ResumePoint>();
  const policyPoint: ResumePoint = { number: 1, kind: 'policy' };
  let count = 1;

  const returns = new Map<number, Set<ResumePoint>>([[base, new Set([policyPoint])]]);
  const contexts = new Map<number, number>([[base, 1]]);
  for (const chain of order) {
    for (const [index, { action }] of differentPlaces(policy.chains[chain]!)) {
      if (action.kind !== 'jump' && action.kind !== 'goto') continue;
      const target = returns.get(action.chain) ?? new Set();
      returns.set(action.chain, target);
      contexts.set(action.chain, (contexts.get(action.chain) ?? 0) + contexts.get(chain)!);
      if (action.kind === 'goto') {
        for (const point of returns.get(chain)!) target.add(point);
        continue;
      }
      const point: ResumePoint = { number: ++count, kind: 'after', chain, rule: index };
      points.set(`${chain}:${index}`, point);
      target.add(point);
    }
  }

  const levels = slotLevels(policy, order, returns);
  const chains = new Map<number, PlannedChain>();
  for (const chain of order) {
    const list = [...returns.get(chain)!].sort((a, b) => a.number - b.number);
    const slot = list.length > 1 ? levels.get(chain) : undefined;
    chains.set(chain, {
      chain,
      returns: list,
      contexts: contexts.get(chain)!,
      ...(slot === undefined ? {} : { slot }),
    });
  }
  return {
    base,
    mode: loop ? 'loop' : cheaperMode(policy, chains, cost),
    chains,
    slots: Math.max(-1, ...[...chains.values()].map((chain) => chain.slot ?? -1)) + 1,
    lastNumber: count,
    after: (chain, rule) => points.get(`${chain}:${rule}`),
  };
}

/** Chains that a packet at this hook can get to, every caller before what it calls. */
export function reachableChains(policy: TablePolicy, hook: Hook): readonly number[] {
  const base = policy.chains.findIndex((chain) => chain.base?.hook === hook);
  return base === -1 ? [] : topologicalOrder(policy, base);
}

function topologicalOrder(policy: TablePolicy, base: number): readonly number[] {
  const done = new Set<number>();
  const order: number[] = [];
  // An explicit stack: chains may nest deeper than functions.
  const stack: { chain: number; next: number }[] = [{ chain: base, next: 0 }];
  done.add(base);
  for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
    const rule = differentRules(policy.chains[top.chain]!)[top.next++];
    if (rule === undefined) {
      order.push(top.chain);
      stack.pop();
    } else if ((rule.action.kind === 'jump' || rule.action.kind === 'goto') && !done.has(rule.action.chain)) {
      done.add(rule.action.chain);
      stack.push({ chain: rule.action.chain, next: 0 });
    }
  }
  return order.reverse();
}

/** Longest path to a chain, counting only chains that need a slot; such chains get the level as their slot. */
function slotLevels(
  policy: TablePolicy,
  order: readonly number[],
  returns: ReadonlyMap<number, ReadonlySet<ResumePoint>>,
): ReadonlyMap<number, number> {
  const above = new Map<number, number>();
  const slots = new Map<number, number>();
  for (const chain of order) {
    const own = above.get(chain) ?? 0;
    const needs = returns.get(chain)!.size > 1;
    if (needs) slots.set(chain, own);
    for (const { action } of differentRules(policy.chains[chain]!)) {
      if (action.kind !== 'jump' && action.kind !== 'goto') continue;
      above.set(action.chain, Math.max(above.get(action.chain) ?? 0, own + (needs ? 1 : 0)));
    }
  }
  return slots;
}

/** What a chain costs to verify, in rules; `chain` is its index. */
export type ChainCost = (rules: RuleSequence, chain: number) => number;

const countRules: ChainCost = (rules) => rules.length;

function cheaperMode(
  policy: TablePolicy,
  chains: ReadonlyMap<number, PlannedChain>,
  cost: ChainCost,
): ChainPlan['mode'] {
  let once = 0;
  let inlined = 0;
  for (const [index, { contexts }] of chains) {
    const own = cost(ruleSequence(policy.chains[index]!), index) + 1;
    const logs = differentRules(policy.chains[index]!).filter((rule) => rule.action.kind === 'log').length;
    once += own;
    inlined += (own + logs * LOG_RULES) * contexts;
  }
  return inlined <= Math.max(once * EXACT_FACTOR, EXACT_RULES) ? 'exact' : 'loop';
}
