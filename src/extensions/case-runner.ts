/**
 * For the tests beside extensions: runs one match or target on the text of its options, without the rest of the
 * language, and shows what it lowers to in words.
 */

import type { Family, Hook, TableName } from '../packet/netfilter.ts';
import type { Condition, Expr, LogSpec, StatefulTest, StateObject, Test } from '../policy/ir.ts';
import { addQuestion, answeredYes, type Question } from '../policy/question.ts';
import type { OptionUse } from '../rules/model.ts';
import {
  elementOption,
  type LowerContext,
  type MatchExtension,
  type OptionMap,
  type OptionSpec,
  type RuleContext,
  type TargetExtension,
} from './contract.ts';
import type { KernelObjects } from './objects.ts';
import { printOptions } from './options.ts';

export interface CaseContext {
  readonly family?: Family;
  readonly table?: TableName;
  /** `-p`; negative: inverted. */
  readonly protocol?: number;
  readonly reachableFrom?: readonly Hook[];
  readonly objects?: KernelObjects;
}

/** Options, what iptables-save prints for them (`=`: the same), and where they stand. */
export type PrintCase = [text: string, expected: string, context?: CaseContext];

/** Stands for the line; only the order of the options counts. */
const PLACE = { source: { name: 'case', text: '' } };

type Extension = MatchExtension | TargetExtension;
type Read = { readonly options: OptionMap } | { readonly problem: string };

/** What iptables-save would print for these options, or `refused`. */
export function printed(extension: Extension, text: string, context: CaseContext = {}): string {
  const read = readOptions(extension, text, context);
  if ('problem' in read) return 'refused';
  const ctx = ruleContext(context);
  const words = extension.print?.(read.options, ctx) ?? printOptions(extension.options, read.options, ctx);
  return words.join(' ');
}

/** Why the options are refused; empty when they are not. */
export function refusal(extension: Extension, text: string, context: CaseContext = {}): string {
  const read = readOptions(extension, text, context);
  return 'problem' in read ? read.problem : '';
}

/** What a match lowers to, one line for each condition; states are shown in place. */
export function lowers(extension: MatchExtension, text: string, context: CaseContext = {}): readonly string[] {
  const states: StateObject[] = [];
  const result = extension.lower?.(mustRead(extension, text, context), lowerContext(context, states, []));
  if (result === undefined) return ['kernel only'];
  return result.ok ? result.value.map((condition) => showCondition(condition, states)) : [`cannot: ${result.why}`];
}

/** What the kernel is asked on behalf of a match. */
export function asks(extension: MatchExtension, text: string, context: CaseContext = {}): readonly Question[] {
  const questions: Question[] = [];
  extension.lower?.(mustRead(extension, text, context), lowerContext(context, [], [], questions));
  return questions;
}

/** What a target lowers to: its action, and the log it registered. */
export function lowersTarget(extension: TargetExtension, text: string, context: CaseContext = {}): unknown {
  const logs: LogSpec[] = [];
  const result = extension.lower?.(mustRead(extension, text, context), lowerContext(context, [], logs));
  if (result === undefined) return 'kernel only';
  if (!result.ok) return `cannot: ${result.why}`;
  return result.value.kind === 'log' ? logs[result.value.log] : result.value;
}

function mustRead(extension: Extension, text: string, context: CaseContext): OptionMap {
  const read = readOptions(extension, text, context);
  if ('problem' in read) throw new Error(`"${text}" is refused: ${read.problem}`);
  return read.options;
}

function ruleContext(context: CaseContext): RuleContext {
  const { family = 'ipv4', table = 'filter', protocol } = context;
  const ip = protocol === undefined ? {} : { protocol: { value: Math.abs(protocol), invert: protocol < 0 } };
  return { family, table, ip };
}

function lowerContext(
  context: CaseContext,
  states: StateObject[],
  logs: LogSpec[],
  questions: Question[] = [],
  staged: Question[] = [],
): LowerContext {
  return {
    ...ruleContext(context),
    reachableFrom: context.reachableFrom ?? ['INPUT'],
    addState: (state) => states.push(state) - 1,
    addLog: (log) => logs.push(log) - 1,
    addEffect: () => 0,
    ask: (question) => answeredYes(addQuestion(questions, question) ?? 0),
    askHere: (question) => staged.push(question) - 1,
    ...(context.objects === undefined ? {} : { objects: context.objects }),
  };
}

function readOptions(extension: Extension, text: string, context: CaseContext): Read {
  const ctx = ruleContext(context);
  const found: Record<string, OptionUse> = {};
  let element = 0;
  const words = [...text.matchAll(/"((?:\\.|[^"\\])*)"|\S+/g)].map(
    (word) => word[1]?.replace(/\\(.)/g, '$1') ?? word[0],
  );
  for (let at = 0; at < words.length; at++) {
    const invert = words[at] === '!';
    if (invert) at++;
    const name = words[at]?.replace(/^--/, '') ?? '';
    const spec = extension.options.find((option) => option.name === name || option.aliases?.includes(name));
    if (spec === undefined) return { problem: `no option "${name}"` };
    if (invert && spec.invertible !== true) return { problem: `--${spec.name} cannot be inverted` };
    const { elements } = extension;
    const opens = spec.name === elements?.next;
    if (opens && element + 1 === elements?.most) return { problem: 'too many elements' };
    const inElement = opens || elements?.options.includes(spec.name) === true;
    const key = inElement ? elementOption(spec.name, element) : spec.name;
    if (opens) element++;
    if (found[key] !== undefined) return { problem: `--${spec.name} is repeated` };
    const more = spec.value.optionalWord === true && /^[^-!]/.test(words[at + 1] ?? '') ? 1 : 0;
    const values = words.slice(at + 1, at + 1 + spec.value.words + more);
    if (values.length < spec.value.words) return { problem: `--${spec.name} needs a value` };
    const value = spec.value.parse(values, { ...ctx, option: spec.name });
    if (!value.ok) return { problem: value.message };
    found[key] = { value: value.value, invert, span: { ...PLACE, start: at, end: at + 1 } };
    at += spec.value.words + more;
  }
  const problem = extension.options.map((spec) => missing(spec, found)).find((message) => message !== undefined);
  if (problem !== undefined) return { problem };
  for (const spec of extension.options) {
    if (spec.default !== undefined) found[spec.name] ??= { value: spec.default, invert: false };
  }
  const options = extension.normalise?.(found, ctx) ?? found;
  const [first] = extension.check?.(options, ctx) ?? [];
  return first === undefined ? { options } : { problem: first.message };
}

function missing(spec: OptionSpec, found: OptionMap): string | undefined {
  if (found[spec.name] === undefined) return spec.mandatory === true ? `--${spec.name} is missing` : undefined;
  const clash = spec.excludes?.find((name) => found[name] !== undefined);
  if (clash !== undefined) return `--${spec.name} excludes --${clash}`;
  const absent = spec.requires?.find((name) => found[name] === undefined);
  return absent === undefined ? undefined : `--${spec.name} needs --${absent}`;
}

function showCondition(condition: Condition, states: readonly StateObject[]): string {
  if (condition.kind !== 'stateful') return `${condition.kind} ${showExpr(condition.expr)}`;
  return `${condition.invert ? 'not ' : ''}${showStateful(condition.test, states)}`;
}

function showStateful(test: StatefulTest, states: readonly StateObject[]): string {
  if (test.kind === 'random') return `random ${test.probability}`;
  if (test.kind === 'staged') return `staged ${test.question}`;
  const state = states[test.state];
  if (state === undefined) throw new Error(`no state ${test.state}`);
  switch (state.kind) {
    case 'limit':
      return `limit avg ${state.avg} burst ${state.burst}`;
    case 'nth':
      return `nth every ${state.every} from ${state.packet}`;
    case 'quota':
      return `quota ${state.bytes}`;
    case 'recent': {
      const { side, question } = test as StatefulTest & { readonly kind: 'recent' };
      const list = `list ${state.list} mask ${state.mask.toString(16)} hits ${state.hits}`;
      return `recent ${side} ${JSON.stringify(question)} ${list}`;
    }
    case 'hashlimit': {
      const { ports } = test as StatefulTest & { readonly kind: 'hashlimit' };
      return `hashlimit ${state.name}${ports ? ' with ports' : ''} ${JSON.stringify(state.table)}`;
    }
  }
}

/** `ip.ttl = 1|3-5`, `meta.mark & 0xff = 1`, `(a and (b or c))`. */
function showExpr(expr: Expr): string {
  switch (expr.kind) {
    case 'constant':
      return String(expr.value);
    case 'test':
      return `${expr.field}${showRanges(expr)}`;
    case 'payload':
      return `${expr.base}[${expr.offset}:${expr.bits}]${showRanges(expr)}`;
    case 'scan':
      return `${expr.outcome === 'evil' ? 'evil ' : ''}${JSON.stringify(expr.scan)}`;
    case 'tcpOption':
      return `tcp option ${expr.option}`;
    case 'tcpOptionsReadable':
      return 'tcp options readable';
    case 'not':
      return `not ${showExpr(expr.expr)}`;
    case 'all':
      return `(${expr.exprs.map(showExpr).join(' and ')})`;
    case 'any':
      return `(${expr.exprs.map(showExpr).join(' or ')})`;
  }
}

function showRanges(test: Pick<Test, 'mask' | 'ranges'>): string {
  const mask = test.mask === undefined ? '' : ` & 0x${test.mask.toString(16)}`;
  const show = (value: bigint): string => (value > 0xf_ffffn ? `0x${value.toString(16)}` : String(value));
  const ranges = test.ranges.map(({ min, max }) => (min === max ? show(min) : `${show(min)}-${show(max)}`));
  return `${mask} = ${ranges.join('|')}`;
}
