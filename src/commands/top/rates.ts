/** Rates between two samples. Rules are told apart by what they say, so that rules that come, go or move do not count as traffic. */

import type { CountedRule, Sample } from './sample.ts';

export interface RuleRate {
  readonly rule: CountedRule;
  readonly packetsPerSecond: number;
  readonly bytesPerSecond: number;
}

/** What the rules of one table at one hook have decided. */
export interface HookRate {
  readonly hook: string;
  readonly family: string;
  readonly table: string;
  /** Packets for each second. */
  readonly accepted: number;
  readonly dropped: number;
}

export interface Rates {
  readonly seconds: number;
  readonly rules: readonly RuleRate[];
  readonly hooks: readonly HookRate[];
}

export const SORTS = ['packets', 'bytes', 'total', 'order'] as const;
export type Sort = (typeof SORTS)[number];

/** Rates of `now` since `before`. A rule that was not there before, or whose counters have begun anew, has counted from zero. */
export function ratesBetween(before: Sample, now: Sample): Rates {
  const seconds = Math.max(0.001, (now.at - before.at) / 1000);
  const earlier = new Map(keyed(before.rules).map(([key, rule]) => [key, rule]));
  const rules = keyed(now.rules).map(([key, rule]): RuleRate => {
    const old = earlier.get(key);
    const went = old !== undefined && old.packets <= rule.packets && old.bytes <= rule.bytes ? old : undefined;
    return {
      rule,
      packetsPerSecond: Number(rule.packets - (went?.packets ?? 0n)) / seconds,
      bytesPerSecond: Number(rule.bytes - (went?.bytes ?? 0n)) / seconds,
    };
  });
  return { seconds, rules, hooks: hookRates(rules) };
}

/** Equal rules of a chain are told apart by their order. */
function keyed(rules: readonly CountedRule[]): readonly (readonly [string, CountedRule])[] {
  const seen = new Map<string, number>();
  return rules.map((rule) => {
    const { hook, family, table, chain, words } = rule;
    const text = [hook, family, table, chain, words].join('\n');
    const times = seen.get(text) ?? 0;
    seen.set(text, times + 1);
    return [`${text}\n${times}`, rule];
  });
}

function hookRates(rules: readonly RuleRate[]): readonly HookRate[] {
  const hooks = new Map<string, { hook: string; family: string; table: string; accepted: number; dropped: number }>();
  for (const { rule, packetsPerSecond } of rules) {
    const { hook, family, table } = rule;
    const key = `${hook} ${family} ${table}`;
    const sum = hooks.get(key) ?? { hook, family, table, accepted: 0, dropped: 0 };
    hooks.set(key, sum);
    const verdict = verdictOf(rule.words);
    if (verdict !== undefined) sum[verdict] += packetsPerSecond;
  }
  return [...hooks.values()];
}

/** What a rule decides; undefined: it does not, or the kernel does. */
function verdictOf(words: string): 'accepted' | 'dropped' | undefined {
  const [, target] = /(?:^policy|(?:^| )-j) (\S+)/.exec(words) ?? [];
  if (target === 'ACCEPT') return 'accepted';
  return target === 'DROP' || target === 'REJECT' ? 'dropped' : undefined;
}

/** The busiest first; rules in order where they are equal. */
export function sorted(rules: readonly RuleRate[], sort: Sort): readonly RuleRate[] {
  if (sort === 'order') return rules;
  const value = ({ rule, packetsPerSecond, bytesPerSecond }: RuleRate): number =>
    sort === 'packets' ? packetsPerSecond : sort === 'bytes' ? bytesPerSecond : Number(rule.packets);
  return [...rules].sort((a, b) => value(b) - value(a));
}
