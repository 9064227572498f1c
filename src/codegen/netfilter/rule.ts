/** One rule: its conditions in order, its counter, its action. */

import { at, ja } from '../../bpf/assembly.ts';
import type { Label } from '../../bpf/code.ts';
import type { Condition, Expr, PolicyRule, StatefulTest } from '../../policy/ir.ts';
import { assume, type Known, ORDINARY, trackOddity } from './assume.ts';
import { jumpTo, type Target } from './branch.ts';
import type { BodyContext } from './context.ts';
import { jumpUnlessWord, jumpUnlessWords, mergeEqualities } from './merge.ts';
import { jumpUnlessStateful } from './stateful.ts';
import { jumpIf } from './test.ts';

/** Conditions as they are compiled: pure tests between two effects belong together. */
type Step =
  | { readonly kind: 'require'; readonly exprs: readonly Expr[] }
  | { readonly kind: 'hotdrop' | 'doom'; readonly expr: Expr }
  | { readonly kind: 'stateful'; readonly test: StatefulTest; readonly invert: boolean };

interface Plan {
  readonly steps: readonly Step[];
  /** What follows the steps: the rule matches, or it cannot. */
  readonly matches: boolean;
}

const NOTHING: Known = {};

/**
 * Emits a rule. `act` emits what a match does; it is not called, and the answer is false, when no packet that comes to this copy
 * of the rules can match. A rule that can doom packets has `act` emit it a second time for those: what it falls through to drops them.
 */
export function emitRule(ctx: BodyContext, rule: PolicyRule, drop: Label, act: (doomed: boolean) => void): boolean {
  const next: Target = { label: ctx.out.label('next'), leaves: false, elseLeaves: leavesProgram(rule) };
  const hotdrop: Target = { label: drop, leaves: true, elseLeaves: false };
  const { steps, matches } = planRule(ctx, rule.conditions);
  const dooms: { readonly label: Label; readonly rest: readonly Step[] }[] = [];
  for (const [index, step] of steps.entries()) {
    if (step.kind === 'doom') {
      const label = ctx.out.label('doomed');
      dooms.push({ label, rest: steps.slice(index + 1) });
      jumpIf(ctx, step.expr, true, { label, leaves: false, elseLeaves: false });
    } else emitStep(ctx, step, next, hotdrop);
  }
  if (matches) act(false);
  else jumpTo(ctx, next);
  for (const { label, rest } of dooms) {
    ctx.out.emit(ja(next.label), at(label));
    for (const step of rest) if (step.kind !== 'doom') emitStep(ctx, step, hotdrop, hotdrop);
    if (matches) act(true);
    ctx.out.emit(ja(drop));
  }
  ctx.out.emit(at(next.label));
  return matches;
}

/** True when a match ends the program. */
export function leavesProgram(rule: PolicyRule): boolean {
  const { kind } = rule.action;
  return kind === 'accept' || kind === 'drop' || kind === 'reject';
}

function emitStep(ctx: BodyContext, step: Exclude<Step, { kind: 'doom' }>, next: Target, hotdrop: Target): void {
  switch (step.kind) {
    case 'require':
      emitRequire(ctx, step.exprs, next);
      return;
    case 'hotdrop':
      jumpIf(ctx, step.expr, true, hotdrop);
      return;
    case 'stateful':
      jumpUnlessStateful(ctx, step.test, step.invert, next, hotdrop);
      return;
  }
}

/**
 * The first equality alone, since it decides most packets; the other equalities in one branch, since every branch to the same
 * place is one more that waits for the verifier; then everything else.
 */
function emitRequire(ctx: BodyContext, exprs: readonly Expr[], next: Target): void {
  const tests = mergeEqualities(exprs, ctx.layout);
  const words = tests.filter((test) => test.kind === 'word');
  if (words.length > 0) jumpUnlessWord(ctx, words[0]!, next);
  jumpUnlessWords(ctx, words.slice(1), next);
  for (const test of tests) if (test.kind !== 'word') jumpIf(ctx, test, false, next);
}

/** Conditions for the packets of this copy of the rules, without what is decided already. */
function planRule(ctx: BodyContext, conditions: readonly Condition[]): Plan {
  const known = ctx.packets === 'ordinary' ? ORDINARY[ctx.family] : NOTHING;
  const oddity = ctx.packets === 'odd' ? trackOddity(ctx.family) : undefined;
  const steps: Step[] = [];
  for (const condition of conditions) {
    if (condition.kind === 'stateful') {
      steps.push(condition);
      continue;
    }
    const expr = assume(condition.expr, known);
    const required = condition.kind === 'require';
    if (expr.kind === 'constant') {
      if (expr.value === required) continue;
      if (required) return never(steps);
    }
    const last = steps.at(-1);
    if (condition.kind !== 'require') steps.push({ kind: condition.kind, expr });
    else if (last?.kind === 'require') steps[steps.length - 1] = { kind: 'require', exprs: [...last.exprs, expr] };
    else steps.push({ kind: 'require', exprs: [expr] });
    if (condition.kind !== 'doom') oddity?.learn(expr, required);
    if (oddity?.impossible() === true) return never(steps);
  }
  return { steps, matches: true };
}

/** A rule that cannot match: only what it does on the way remains. */
function never(steps: readonly Step[]): Plan {
  const kept = [...steps];
  while (kept.at(-1)?.kind === 'require') kept.pop();
  return { steps: kept, matches: false };
}
