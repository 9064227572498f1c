/** The guards of many rules as one question: is this packet broken for any of them? */
import { all, any, test } from '../policy/expr.ts';
import type { FieldName } from '../policy/fields.ts';
import type { Expr, Interval, Test } from '../policy/ir.ts';
import type { Guard } from './split-rule.ts';

interface Merged {
  readonly hotdrop: Expr;
  /** Fields that every rule with this hotdrop has tested before it, with all values that some rule lets through. */
  context: Map<FieldName, Interval[]>;
}

export interface GuardCollector {
  add(guard: Guard): void;
  /** True for every packet for which some rule's guard could be true, and for hardly any other. */
  broken(): Expr;
}

export function guardCollector(): GuardCollector {
  // Lowering builds each distinct hotdrop anew for each rule, so they are told apart by what they say.
  const merged = new Map<string, Merged>();
  const seen = new Set<string>();
  return {
    add(guard) {
      const name = describe(guard.hotdrop);
      const whole = `${name} ${guard.context.map(describe).join(' ')}`;
      if (seen.has(whole)) return;
      seen.add(whole);
      const before = merged.get(name);
      if (before === undefined) {
        const context = new Map(guard.context.map((about) => [about.field, [...about.ranges]]));
        merged.set(name, { hotdrop: guard.hotdrop, context });
      } else {
        before.context = mergeContext(before.context, guard.context);
      }
    },
    broken() {
      return any(
        ...Array.from(merged.values(), ({ hotdrop, context }) =>
          all(...Array.from(context, ([field, ranges]) => test(field, ranges)), hotdrop),
        ),
      );
    },
  };
}

function mergeContext(before: Map<FieldName, Interval[]>, context: readonly Test[]): Map<FieldName, Interval[]> {
  const out = new Map<FieldName, Interval[]>();
  for (const about of context) {
    const ranges = before.get(about.field);
    if (ranges !== undefined) out.set(about.field, [...ranges, ...about.ranges]);
  }
  return out;
}

/** Equal for equal expressions only. */
function describe(expr: Expr): string {
  switch (expr.kind) {
    case 'constant':
      return String(expr.value);
    case 'test':
      return `${expr.field}&${expr.mask ?? ''}${expr.ranges.map(({ min, max }) => `[${min},${max}]`).join('')}`;
    case 'tcpOption':
      return `option${expr.option}`;
    case 'tcpOptionsReadable':
      return 'readable';
    case 'not':
      return `!(${describe(expr.expr)})`;
    case 'all':
    case 'any':
      return `${expr.kind}(${expr.exprs.map(describe).join()})`;
  }
}
