import { type Diagnostic, diagnostic } from '../diagnostics/diagnostic.ts';
import type { Span } from '../diagnostics/source.ts';
import type { LowerContext } from '../extensions/contract.ts';
import { findMatch, findTarget } from '../extensions/registry.ts';
import type { Action, Condition } from '../policy/ir.ts';
import type { MatchUse, Rule, Target } from '../rules/model.ts';
import { lowerIpPart } from './ip-part.ts';
import { simplifyConditions } from './simplify.ts';
import { unsupportedMatch, unsupportedTarget } from './unsupported.ts';

export interface LoweredRule {
  readonly conditions: readonly Condition[];
  readonly action: Action;
  /** Errors make conditions and action meaningless. */
  readonly diagnostics: readonly Diagnostic[];
}

/** The ip part, the matches from left to right, the target. `chainNumbers` gives the index of each chain by its name. */
export function lowerRule(rule: Rule, chainNumbers: ReadonlyMap<string, number>, context: LowerContext): LoweredRule {
  const diagnostics: Diagnostic[] = [];
  const conditions = [...lowerIpPart(rule.ip, context.family)];
  for (const use of rule.matches) {
    const lowered = lowerMatch(use, use.span ?? rule.span, context);
    conditions.push(...lowered.conditions);
    diagnostics.push(...lowered.diagnostics);
  }
  const target = lowerTarget(rule.target, rule.span, chainNumbers, context);
  diagnostics.push(...target.diagnostics);
  return { conditions: simplifyConditions(conditions), action: Object.freeze(target.action), diagnostics };
}

type LoweredMatch = Pick<LoweredRule, 'conditions' | 'diagnostics'>;
type LoweredTarget = Pick<LoweredRule, 'action' | 'diagnostics'>;

function lowerMatch(use: MatchUse, span: Span | undefined, context: LowerContext): LoweredMatch {
  const extension = findMatch(use.name, context.family);
  if (extension?.lower === undefined) return failedMatch(unsupportedMatch(use, span));
  const lowered = extension.lower(use.options, context);
  if (lowered.ok) return { conditions: lowered.value, diagnostics: [] };
  const params = { what: `match "${use.name}"`, table: context.table, why: lowered.why };
  return failedMatch(diagnostic('not-supported-here', span, params));
}

function failedMatch(item: Diagnostic): LoweredMatch {
  return { conditions: [], diagnostics: [item] };
}

function lowerTarget(
  target: Target,
  ruleSpan: Span | undefined,
  chainNumbers: ReadonlyMap<string, number>,
  context: LowerContext,
): LoweredTarget {
  switch (target.kind) {
    case 'none':
      return done({ kind: 'continue' });
    case 'jump':
    case 'goto':
      return done({ kind: target.kind, chain: chainNumber(target.chain, chainNumbers) });
    case 'verdict':
      return lowerVerdict(target.verdict, target.span ?? ruleSpan, context);
    case 'extension': {
      const span = target.span ?? ruleSpan;
      const extension = findTarget(target.name, context.family);
      if (extension?.lower === undefined) return failedTarget(unsupportedTarget(target.name, span));
      const lowered = extension.lower(target.options, context);
      if (lowered.ok) return done(lowered.value);
      const params = { what: `target "${target.name}"`, table: context.table, why: lowered.why };
      return failedTarget(diagnostic('not-supported-here', span, params));
    }
  }
}

function lowerVerdict(
  verdict: 'ACCEPT' | 'DROP' | 'RETURN' | 'QUEUE',
  span: Span | undefined,
  context: LowerContext,
): LoweredTarget {
  switch (verdict) {
    case 'ACCEPT':
      return done({ kind: 'accept' });
    case 'DROP':
      return done({ kind: 'drop' });
    case 'RETURN':
      return done({ kind: 'return' });
    case 'QUEUE': {
      const why = 'a BPF program at a netfilter hook cannot hand packets to user space';
      return failedTarget(diagnostic('not-supported-here', span, { what: 'verdict QUEUE', table: context.table, why }));
    }
  }
}

function done(action: Action): LoweredTarget {
  return { action, diagnostics: [] };
}

function failedTarget(item: Diagnostic): LoweredTarget {
  return { action: { kind: 'continue' }, diagnostics: [item] };
}

function chainNumber(name: string, numbers: ReadonlyMap<string, number>): number {
  const number = numbers.get(name);
  if (number === undefined) throw new RangeError(`there is no chain ${name}`);
  return number;
}
