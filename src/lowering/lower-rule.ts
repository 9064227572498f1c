import { type Diagnostic, diagnostic } from '../diagnostics/diagnostic.ts';
import type { Span } from '../diagnostics/source.ts';
import type { LowerContext } from '../extensions/contract.ts';
import { findMatch, findTarget } from '../extensions/registry.ts';
import type { Action, Condition } from '../policy/ir.ts';
import type { MatchUse, Rule } from '../rules/model.ts';
import { lowerIpPart } from './ip-part.ts';
import { lowerEffect, lowerQueue } from './lower-effect.ts';
import { simplifyConditions } from './simplify.ts';
import { unsupportedMatch, unsupportedTarget } from './unsupported.ts';

export interface LoweredRule {
  readonly conditions: readonly Condition[];
  readonly action: Action;
  /** Errors make conditions and action meaningless. */
  readonly diagnostics: readonly Diagnostic[];
  /** Its target makes the kernel track connections. */
  readonly conntrack: boolean;
}

/** The ip part, the matches from left to right, the target. `chainNumbers` gives the index of each chain by its name. */
export function lowerRule(rule: Rule, chainNumbers: ReadonlyMap<string, number>, context: LowerContext): LoweredRule {
  const diagnostics: Diagnostic[] = [];
  const conditions = [...lowerIpPart(rule.ip, context.family)];
  for (const use of rule.matches) {
    const lowered = lowerMatch(use, use.span ?? rule.span, context);
    for (const condition of lowered.conditions) conditions.push(condition);
    for (const item of lowered.diagnostics) diagnostics.push(item);
  }
  const target = lowerTarget(rule, chainNumbers, context);
  for (const item of target.diagnostics) diagnostics.push(item);
  return {
    conditions: simplifyConditions(conditions),
    action: Object.freeze(target.action),
    diagnostics,
    conntrack: target.conntrack === true,
  };
}

type LoweredMatch = Pick<LoweredRule, 'conditions' | 'diagnostics'>;
type LoweredTarget = Pick<LoweredRule, 'action' | 'diagnostics'> & { readonly conntrack?: boolean };

function lowerMatch(use: MatchUse, span: Span | undefined, context: LowerContext): LoweredMatch {
  const extension = findMatch(use.name, context.family);
  if (extension?.lower === undefined) return failedMatch(unsupportedMatch(use, span));
  const lowered = extension.lower(use.options, context);
  if (lowered.ok) return { conditions: lowered.value, diagnostics: NONE };
  const params = { what: `match "${use.name}"`, table: context.table, why: lowered.why };
  return failedMatch(diagnostic('not-supported-here', span, params));
}

function failedMatch(item: Diagnostic): LoweredMatch {
  return { conditions: [], diagnostics: [item] };
}

function lowerTarget(rule: Rule, chainNumbers: ReadonlyMap<string, number>, context: LowerContext): LoweredTarget {
  const { target, span: ruleSpan } = rule;
  switch (target.kind) {
    case 'none':
      return CONTINUE;
    case 'jump':
    case 'goto':
      return done({ kind: target.kind, chain: chainNumber(target.chain, chainNumbers) });
    case 'verdict':
      return lowerVerdict(target.verdict, context);
    case 'extension': {
      const span = target.span ?? ruleSpan;
      const extension = findTarget(target.name, context.family);
      const failed = (why: string): LoweredTarget =>
        failedTarget(
          diagnostic('not-supported-here', span, { what: `target "${target.name}"`, table: context.table, why }),
        );
      if (extension?.effect !== undefined) {
        const effect = lowerEffect(rule, target, extension, context);
        return effect.ok ? { ...done(effect.action), conntrack: effect.conntrack } : failed(effect.why);
      }
      if (extension?.lower === undefined) return failedTarget(unsupportedTarget(target.name, span));
      const lowered = extension.lower(target.options, context);
      return lowered.ok ? done(lowered.value) : failed(lowered.why);
    }
  }
}

function lowerVerdict(verdict: 'ACCEPT' | 'DROP' | 'RETURN' | 'QUEUE', context: LowerContext): LoweredTarget {
  switch (verdict) {
    case 'ACCEPT':
      return ACCEPT;
    case 'DROP':
      return DROP;
    case 'RETURN':
      return RETURN;
    case 'QUEUE':
      return done(lowerQueue(context));
  }
}

function done(action: Action): LoweredTarget {
  return { action, diagnostics: NONE };
}

const NONE: readonly Diagnostic[] = Object.freeze([]);
/** Actions without anything of their own are shared by all rules. */
const CONTINUE = done(Object.freeze({ kind: 'continue' }));
const ACCEPT = done(Object.freeze({ kind: 'accept' }));
const DROP = done(Object.freeze({ kind: 'drop' }));
const RETURN = done(Object.freeze({ kind: 'return' }));

function failedTarget(item: Diagnostic): LoweredTarget {
  return { action: { kind: 'continue' }, diagnostics: [item] };
}

function chainNumber(name: string, numbers: ReadonlyMap<string, number>): number {
  const number = numbers.get(name);
  if (number === undefined) throw new RangeError(`there is no chain ${name}`);
  return number;
}
