/** Which DROP rules an early program carries out, and why not the others. */

import { type Family, TABLE_HOOKS, type TableName } from '../packet/netfilter.ts';
import type { PolicyRule, TablePolicy } from '../policy/ir.ts';
import { knowledgeOf } from './knowledge.ts';
import { letsAllGo, reduceRule } from './reduce.ts';
import { type Stage, type Stages, stagesOf } from './stages.ts';

export type EarlyReason =
  /** What the kernel's nat does with a packet comes before. */
  | 'behind nat'
  /** A table that stays with the kernel comes before. */
  | 'behind a kernel table'
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

/** The DROP rules of one family's tables. `stages`: the programs that there are; absent: none. */
export function reportEarly(
  policies: readonly TablePolicy[],
  kernel: readonly TableName[] = [],
  stages?: Stages,
): EarlyReport {
  const reasons = new Map<EarlyReason, { count: number; example: string }>();
  let [drops, early] = [0, 0];
  for (const policy of policies) {
    const fates = fatesOf(policy, kernel, stages);
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

/** Hooks of the way in. */
const ON_THE_WAY = ['PREROUTING', 'INPUT', 'FORWARD'] as const;

function fatesOf(policy: TablePolicy, kernel: readonly TableName[], stages: Stages | undefined): Fate {
  const met = stages === undefined ? [] : stagesOf(stages).filter((stage) => stage.table === policy.table);
  const reached = met.map((stage) => reach(stage));
  const onTheWay = reachable(policy);
  const tracked = policy.conntrack;
  return (chain, at, rule) => {
    if (!onTheWay.has(chain)) return 'not on the way in';
    if (reached.some((ends) => at < (ends.get(chain) ?? 0) && decidable(policy.family, rule, tracked, stages)))
      return undefined;
    if (met.length === 0 && policy.table !== 'raw') {
      if (kernel.some((table) => table !== 'nat' && TABLE_HOOKS[table].priority < TABLE_HOOKS[policy.table].priority))
        return 'behind a kernel table';
      if (kernel.includes('nat') && !preroutes(policy, chain)) return 'behind nat';
    }
    return decidable(policy.family, rule, tracked, stages) ? 'behind another rule' : 'asks for more';
  };
}

/** Where there is some place on the way where the rule can be decided. */
function decidable(family: Family, rule: PolicyRule, conntrack: boolean, stages: Stages | undefined): boolean {
  const tracked = stages?.tracked ?? conntrack;
  return ON_THE_WAY.some(
    (hook) => reduceRule(rule, knowledgeOf(family, 'ordinary', { hook, tracked })).obstacle === undefined,
  );
}

/** How many rules of each chain packets can come to, of those chains that a stage's packets meet. */
function reach({ policy, hook, place }: Stage): ReadonlyMap<number, number> {
  const knowledge = knowledgeOf(policy.family, 'ordinary', place);
  const ends = new Map<number, number>();
  const visit = (chain: number): void => {
    if (ends.has(chain)) return;
    const { rules } = policy.chains[chain]!;
    const at = rules.findIndex((rule) => letsAllGo(reduceRule(rule, knowledge).rule));
    const end = at === -1 ? rules.length : at;
    ends.set(chain, end);
    for (const { action } of rules.slice(0, end)) {
      if (action.kind === 'jump' || action.kind === 'goto') visit(action.chain);
    }
  };
  const base = policy.chains.findIndex((chain) => chain.base?.hook === hook);
  if (base !== -1) visit(base);
  return ends;
}

/** Chains that packets can come to on their way in. */
function reachable(policy: TablePolicy, hooks: readonly string[] = ON_THE_WAY): ReadonlySet<number> {
  const seen = new Set<number>();
  const visit = (chain: number): void => {
    if (seen.has(chain)) return;
    seen.add(chain);
    for (const { action } of policy.chains[chain]!.rules)
      if (action.kind === 'jump' || action.kind === 'goto') visit(action.chain);
  };
  policy.chains.forEach(({ base }, index) => {
    if (base !== undefined && hooks.includes(base.hook)) visit(index);
  });
  return seen;
}

function preroutes(policy: TablePolicy, chain: number): boolean {
  return reachable(policy, ['PREROUTING']).has(chain);
}
