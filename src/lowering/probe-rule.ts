/** Lowers a rule to see what becomes of it. */
import type { LowerContext } from '../extensions/contract.ts';
import { FALSE } from '../policy/expr.ts';
import type { Rule } from '../rules/model.ts';
import { type LoweredRule, lowerRule } from './lower-rule.ts';

/** What a rule becomes; undefined when that is more than conditions and an action: memory, records, questions, reasons why not. */
export function probeRule(
  rule: Rule,
  about: Pick<LowerContext, 'family' | 'table' | 'ip' | 'reachableFrom'>,
  chainNumbers: ReadonlyMap<string, number>,
): LoweredRule | undefined {
  let more = false;
  const noted = <T>(value: T): T => {
    more = true;
    return value;
  };
  const lowered = lowerRule(rule, chainNumbers, {
    ...about,
    addState: () => noted(0),
    addLog: () => noted(0),
    addEffect: () => noted(0),
    ask: () => noted(FALSE),
    askHere: () => noted(0),
  });
  return more || lowered.conntrack || lowered.diagnostics.length > 0 ? undefined : lowered;
}
