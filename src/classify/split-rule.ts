/**
 * What of a rule can be asked by a look-up, and what has to run as it stands. See docs/classification.md for why each
 * step keeps the meaning.
 *
 *     box        the plain tests that a packet must pass: no effects, so their order is free
 *     guards     hotdrops about broken headers; packets for which one of them could be true never come here
 *     residual   everything else, in its order: from the first condition with an effect on all of it
 */
import { intersectRanges } from '../policy/expr.ts';
import type { FieldName } from '../policy/fields.ts';
import type { Condition, Expr, PolicyRule, Test } from '../policy/ir.ts';
import { unmask } from './dimension.ts';

/** A hotdrop that is asked of every packet beforehand: `context` holds wherever the rule asks it. */
export interface Guard {
  readonly context: readonly Test[];
  /** Everything that the rule has asked before it. */
  readonly before: readonly Test[];
  readonly hotdrop: Expr;
}

export interface SplitRule {
  /** At most one test for each field and mask. */
  readonly box: readonly Test[];
  readonly guards: readonly Guard[];
  readonly residual: readonly Condition[];
  /** The box holds for no packet. */
  readonly never: boolean;
  /** A packet in the box is done with the chain. */
  readonly final: boolean;
}

/** Fields whose odd values make a packet broken, whichever rule looks. */
export const GUARDED: ReadonlySet<FieldName> = new Set<FieldName>([
  'transport.length',
  'tcp.headerLength',
  'ip.fragOffset',
  'ip6.chain',
]);
/** Fields that say to which packets a guard applies. */
export const CONTEXT: ReadonlySet<FieldName> = new Set<FieldName>([
  'ip.protocol',
  'ip6.protocol',
  'ip.fragOffset',
  'ip6.fragOffset',
  'ip6.chain',
]);

export function splitRule(rule: PolicyRule): SplitRule {
  const box: Test[] = [];
  const guards: Guard[] = [];
  const residual: Condition[] = [];
  let never = false;
  let effects = false;
  for (const condition of rule.conditions) {
    if (effects) residual.push(condition);
    else if (condition.kind === 'require' && condition.expr.kind === 'test')
      never = !addTest(box, condition.expr) || never;
    else if (condition.kind === 'require' && condition.expr.kind === 'constant') never ||= !condition.expr.value;
    else if (condition.kind === 'require') residual.push(condition);
    else if (condition.kind === 'hotdrop' && isGuard(condition.expr) && residual.length === 0) {
      guards.push({ context: contextOf(box), before: box.slice(), hotdrop: condition.expr });
    } else {
      effects = true;
      residual.push(condition);
    }
    // What stands behind a test that always fails is not reached.
    if (never) break;
  }
  return { box, guards, residual: never ? [] : residual, never, final: residual.length === 0 && isFinal(rule) };
}

/** Adds a test, or narrows the one of its field and mask; false when nothing is left. */
function addTest(box: Test[], added: Test): boolean {
  const test = unmask(added);
  let index = 0;
  while (index < box.length && (box[index]!.field !== test.field || box[index]!.mask !== test.mask)) index++;
  if (index === box.length) {
    box.push(test);
    return true;
  }
  const ranges = intersectRanges(box[index]!.ranges, test.ranges);
  box[index] = { ...test, ranges };
  return ranges.length > 0;
}

function contextOf(box: readonly Test[]): readonly Test[] {
  const out: Test[] = [];
  for (const test of box) if (test.mask === undefined && CONTEXT.has(test.field)) out.push(test);
  return out;
}

function isGuard(expr: Expr): boolean {
  switch (expr.kind) {
    case 'test':
      return GUARDED.has(expr.field);
    case 'tcpOptionsReadable':
      return true;
    case 'not':
      return isGuard(expr.expr);
    case 'all':
    case 'any':
      return expr.exprs.every(isGuard);
    case 'payload':
    case 'scan':
    case 'tcpOption':
    case 'constant':
      return false;
  }
}

function isFinal(rule: PolicyRule): boolean {
  switch (rule.action.kind) {
    case 'accept':
    case 'drop':
    case 'reject':
    case 'return':
    case 'goto':
      return true;
    case 'jump':
    case 'continue':
    case 'log':
    case 'effect':
      return false;
  }
}
