/** Targets that the kernel carries out (policy/effect.ts). */

import type { EffectTraits, LowerContext, TargetExtension } from '../extensions/contract.ts';
import { printOptions } from '../extensions/options.ts';
import { findMatch } from '../extensions/registry.ts';
import type { Effect } from '../policy/effect.ts';
import type { Action } from '../policy/ir.ts';
import type { Rule, Target } from '../rules/model.ts';

type Use = Extract<Target, { readonly kind: 'extension' }>;
export type LoweredEffect =
  | { readonly ok: true; readonly action: Action; readonly conntrack: boolean }
  | { readonly ok: false; readonly why: string };

/** The action of a rule whose target has effect traits. */
export function lowerEffect(rule: Rule, use: Use, extension: TargetExtension, context: LowerContext): LoweredEffect {
  const traits = typeof extension.effect === 'function' ? extension.effect(use.options, context) : extension.effect!;
  if (traits.refused !== undefined) return { ok: false, why: traits.refused };
  const words = extension.print?.(use.options, context) ?? printOptions(extension.options, use.options, context);
  const effect: Effect = Object.freeze({
    target: Object.freeze([use.name, ...words]),
    needs: Object.freeze(neededWords(rule, traits, context)),
    terminal: traits.terminal === true,
    ...(traits.ends === undefined ? {} : { ends: traits.ends }),
    ...(traits.lengthens === undefined ? {} : { lengthens: traits.lengthens }),
    ...(traits.change === undefined ? {} : { change: Object.freeze(traits.change) }),
    writes: traits.writes ?? [],
  });
  const conntrack = traits.conntrack === true || extension.conntrack === true;
  return { ok: true, action: { kind: 'effect', effect: context.addEffect(effect) }, conntrack };
}

/** The verdict QUEUE: NFQUEUE of queue 0. */
export function lowerQueue(context: LowerContext): Action {
  const effect: Effect = Object.freeze({ target: ['QUEUE'], needs: [], terminal: true, writes: [] });
  return { kind: 'effect', effect: context.addEffect(effect) };
}

function neededWords(rule: Rule, traits: EffectTraits, context: LowerContext): readonly string[] {
  const { protocol } = rule.ip;
  const words: string[] = [];
  if ((traits.needsProtocol === true || traits.needsSyn === true) && protocol !== undefined && !protocol.invert) {
    words.push('-p', String(protocol.value));
  }
  if (traits.needsSyn !== true) return words;
  const extension = findMatch('tcp', context.family)!;
  for (const match of rule.matches) {
    if (match.name !== 'tcp') continue;
    const printed =
      extension.print?.(match.options, context) ?? printOptions(extension.options, match.options, context);
    words.push('-m', 'tcp', ...printed);
  }
  return words;
}

/** The number of an effect in a table's list; it is added unless an equal one is there. */
export function addEffect(list: Effect[], effect: Effect): number {
  const numbers = numbersIn(list);
  const key = keyOf(effect);
  const known = numbers.get(key);
  if (known !== undefined) return known;
  const number = list.push(effect) - 1;
  numbers.set(key, number);
  return number;
}

/** What each list holds, so that a table with thousands of effects need not be searched for each. */
const LISTS = new WeakMap<readonly Effect[], Map<string, number>>();

function numbersIn(list: readonly Effect[]): Map<string, number> {
  const numbers = LISTS.get(list) ?? new Map<string, number>();
  LISTS.set(list, numbers);
  return numbers;
}

function keyOf({ needs, target }: Effect): string {
  return JSON.stringify([needs, target]);
}
