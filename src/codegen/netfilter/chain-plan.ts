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
import type { Condition, Expr, PolicyRule, TablePolicy } from '../../policy/ir.ts';

/** A place where the walk goes on: behind a rule, or at the policy of the built-in chain. */
export type ResumePoint =
  | { readonly number: number; readonly kind: 'after'; readonly chain: number; readonly rule: number }
  | { readonly number: number; readonly kind: 'policy' }
  /** A cut in a long chain (see MAX_WAITING), in front of a rule. */
  | { readonly number: number; readonly kind: 'before'; readonly chain: number; readonly rule: number };

export interface PlannedChain {
  readonly chain: number;
  /** Where the end of the chain and RETURN lead. */
  readonly returns: readonly ResumePoint[];
  /** Index of the return slot; absent when there is only one place to return to. */
  readonly slot?: number;
}

export interface ChainPlan {
  readonly base: number;
  readonly mode: 'exact' | 'loop';
  readonly chains: ReadonlyMap<number, PlannedChain>;
  /** Every resume point that a return through a slot can lead to. */
  readonly resumes: readonly ResumePoint[];
  readonly slots: number;
  /** Resume points by `chain:rule`. */
  after(chain: number, rule: number): ResumePoint | undefined;
  before(chain: number, rule: number): ResumePoint | undefined;
}

/** Verifying in exact mode may cost this many times as much as in loop mode, or this many rules. */
const EXACT_FACTOR = 3;
const EXACT_RULES = 500;
/** Pending branches between two visits of the loop head; the verifier keeps at most 8,192. */
const MAX_WAITING = 3000;

/** Plans the program of one hook, or undefined when the table has no chain there. */
export function planChains(policy: TablePolicy, hook: Hook): ChainPlan | undefined {
  const base = policy.chains.findIndex((chain) => chain.base?.hook === hook);
  if (base === -1) return undefined;
  const order = topologicalOrder(policy, base);
  const points = new Map<string, ResumePoint>();
  const policyPoint: ResumePoint = { number: 1, kind: 'policy' };
  const all: ResumePoint[] = [policyPoint];

  const returns = new Map<number, Set<ResumePoint>>([[base, new Set([policyPoint])]]);
  const contexts = new Map<number, number>([[base, 1]]);
  for (const chain of order) {
    policy.chains[chain]!.rules.forEach((rule, index) => {
      const { action } = rule;
      if (action.kind !== 'jump' && action.kind !== 'goto') return;
      const target = returns.get(action.chain) ?? new Set();
      returns.set(action.chain, target);
      contexts.set(action.chain, (contexts.get(action.chain) ?? 0) + contexts.get(chain)!);
      if (action.kind === 'goto') {
        for (const point of returns.get(chain)!) target.add(point);
        return;
      }
      const point: ResumePoint = { number: all.length + 1, kind: 'after', chain, rule: index };
      all.push(point);
      points.set(`after ${chain} ${index}`, point);
      target.add(point);
    });
  }

  const cuts = planCuts(policy, order);
  const mode = chooseMode(policy, order, contexts, cuts.length > 0);
  const resumes = new Set<ResumePoint>();
  if (mode === 'loop') {
    for (const { chain, rule } of cuts) {
      const point: ResumePoint = { number: all.length + 1, kind: 'before', chain, rule };
      all.push(point);
      points.set(`before ${chain} ${rule}`, point);
      resumes.add(point);
    }
  }
  const chains = new Map<number, PlannedChain>();
  const levels = slotLevels(policy, order, returns);
  for (const chain of order) {
    const list = [...returns.get(chain)!].sort((a, b) => a.number - b.number);
    const slot = list.length > 1 ? levels.get(chain) : undefined;
    if (slot !== undefined) for (const point of list) resumes.add(point);
    chains.set(chain, { chain, returns: list, ...(slot === undefined ? {} : { slot }) });
  }
  return {
    base,
    mode,
    chains,
    resumes: [...resumes].sort((a, b) => a.number - b.number),
    slots: Math.max(-1, ...[...chains.values()].map((chain) => chain.slot ?? -1)) + 1,
    after: (chain, rule) => points.get(`after ${chain} ${rule}`),
    before: (chain, rule) => points.get(`before ${chain} ${rule}`),
  };
}

/** Reachable chains, every caller before what it calls. */
function topologicalOrder(policy: TablePolicy, base: number): readonly number[] {
  const done = new Set<number>();
  const order: number[] = [];
  // An explicit stack: chains may nest deeper than functions.
  const stack: { chain: number; next: number }[] = [{ chain: base, next: 0 }];
  done.add(base);
  for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
    const { rules } = policy.chains[top.chain]!;
    const rule = rules[top.next++];
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
    for (const { action } of policy.chains[chain]!.rules) {
      if (action.kind !== 'jump' && action.kind !== 'goto') continue;
      above.set(action.chain, Math.max(above.get(action.chain) ?? 0, own + (needs ? 1 : 0)));
    }
  }
  return slots;
}

function chooseMode(
  policy: TablePolicy,
  order: readonly number[],
  contexts: ReadonlyMap<number, number>,
  hasCuts: boolean,
): ChainPlan['mode'] {
  if (hasCuts) return 'loop';
  let once = 0;
  let inlined = 0;
  for (const chain of order) {
    const size = policy.chains[chain]!.rules.length + 1;
    once += size;
    inlined += size * contexts.get(chain)!;
  }
  return inlined <= Math.max(once * EXACT_FACTOR, EXACT_RULES) ? 'exact' : 'loop';
}

/** Places to cut, so that no path collects too many branches that wait for the verifier. */
function planCuts(policy: TablePolicy, order: readonly number[]): readonly { chain: number; rule: number }[] {
  const cuts: { chain: number; rule: number }[] = [];
  let waiting = 0;
  for (const chain of order) {
    policy.chains[chain]!.rules.forEach((rule, index) => {
      const branches = waitingBranches(rule);
      if (waiting + branches > MAX_WAITING) {
        cuts.push({ chain, rule: index });
        waiting = 0;
      }
      waiting += branches;
    });
  }
  return cuts;
}

/** Branches of a rule after which the walk goes on with later rules. */
function waitingBranches(rule: PolicyRule): number {
  switch (rule.action.kind) {
    case 'accept':
    case 'drop':
    case 'reject':
    case 'goto':
      return 0;
    default:
      return rule.conditions.reduce((sum, condition) => sum + branchesOf(condition), 0);
  }
}

function branchesOf(condition: Condition): number {
  return condition.kind === 'stateful' ? 1 : leavesOf(condition.expr);
}

function leavesOf(expr: Expr): number {
  switch (expr.kind) {
    case 'test':
      return expr.ranges.length * 2;
    case 'all':
    case 'any':
      return expr.exprs.reduce((sum, e) => sum + leavesOf(e), 0);
    case 'not':
      return leavesOf(expr.expr);
    case 'constant':
      return 0;
    case 'tcpOption':
    case 'tcpOptionsReadable':
      return 1;
  }
}
