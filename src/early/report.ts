/** Which DROP rules an early program carries out, and why not the others. */

import type { Hook, TableName } from '../packet/netfilter.ts';
import type { PolicyRule, TablePolicy } from '../policy/ir.ts';
import { knowledgeOf } from './knowledge.ts';
import { letsAllGo, type Obstacle, reduceRule } from './reduce.ts';

/** The one place where nothing but the packet and its device decides what happens before. */
export const EARLY_TABLE: TableName = 'raw';
export const EARLY_HOOK: Hook = 'PREROUTING';

export type EarlyReason =
  /** Another table: connection tracking, marks and the choice of a route lie before it. */
  | 'behind routing'
  /** No packet that arrives comes to it. */
  | 'not on the way in'
  /** The rule asks for what is not known yet. */
  | 'asks for more'
  /** A rule before it decides about every packet what cannot be known yet. */
  | 'behind another rule';

export interface EarlyReport {
  readonly drops: number;
  readonly early: number;
  /** How many of the others have which reason, with the first of them as an example. */
  readonly others: readonly { readonly reason: EarlyReason; readonly count: number; readonly example: string }[];
}

/** The DROP rules of one family's tables. */
export function reportEarly(policies: readonly TablePolicy[]): EarlyReport {
  const reasons = new Map<EarlyReason, { count: number; example: string }>();
  let [drops, early] = [0, 0];
  for (const policy of policies) {
    const fates = fatesOf(policy);
    policy.chains.forEach((chain, index) => {
      chain.rules.forEach((rule, at) => {
        if (rule.action.kind !== 'drop') return;
        drops++;
        const reason = fates(index, at, rule);
        if (reason === undefined) {
          early++;
          return;
        }
        const known = reasons.get(reason);
        const example = `${policy.table} ${rule.provenance.chain} rule ${rule.provenance.rule}`;
        if (known === undefined) reasons.set(reason, { count: 1, example });
        else known.count++;
      });
    });
  }
  return { drops, early, others: [...reasons].map(([reason, rest]) => ({ reason, ...rest })) };
}

type Fate = (chain: number, at: number, rule: PolicyRule) => EarlyReason | undefined;

function fatesOf(policy: TablePolicy): Fate {
  if (policy.table !== EARLY_TABLE) return () => 'behind routing';
  const knowledge = knowledgeOf(policy.family, 'ordinary');
  const obstacle = (rule: PolicyRule): Obstacle | undefined => reduceRule(rule, knowledge).obstacle;
  const met = new Set<number>();
  const inFull = new Set<number>();
  /** First rule that no packet gets past, by chain. */
  const ends = policy.chains.map(({ rules }) => {
    const at = rules.findIndex((rule) => letsAllGo(reduceRule(rule, knowledge).rule));
    return at === -1 ? rules.length : at;
  });
  const visit = (chain: number, seen: Set<number>, limited: boolean): void => {
    if (seen.has(chain)) return;
    seen.add(chain);
    policy.chains[chain]!.rules.forEach(({ action }, at) => {
      if ((action.kind === 'jump' || action.kind === 'goto') && !(limited && at >= ends[chain]!))
        visit(action.chain, seen, limited);
    });
  };
  const base = policy.chains.findIndex((chain) => chain.base?.hook === EARLY_HOOK);
  if (base !== -1) {
    visit(base, met, true);
    visit(base, inFull, false);
  }
  return (chain, at, rule) => {
    if (!inFull.has(chain)) return 'not on the way in';
    if (obstacle(rule) !== undefined) return 'asks for more';
    return met.has(chain) && at < ends[chain]! ? undefined : 'behind another rule';
  };
}
