/** Where each chain of a rule set runs. */

import { findMatch, findTarget } from '../extensions/registry.ts';
import type { Family, TableName } from '../packet/netfilter.ts';
import type { Chain, Ruleset, Table } from '../rules/model.ts';
import { differentRules, ruleCount } from '../rules/rule-columns.ts';

export type Placement =
  /** A BPF program at the netfilter hook. */
  | 'bpf'
  /** The same, and the kernel sends the answers of its REJECT rules and carries its effects out. */
  | 'bpf+bridge'
  /** The kernel's own table, loaded by the system's iptables. */
  | 'kernel';

export interface ChainPlacement {
  readonly family: Family;
  readonly table: TableName;
  readonly chain: string;
  readonly placement: Placement;
  readonly rules: number;
}

/** Tables that always stay with the kernel: a BPF program at a netfilter hook changes no packets. */
export function isKernelTable(name: TableName): boolean {
  return name === 'nat';
}

/** Placement of every chain of a rule set, in its order. `kernel`: the tables that are the kernel's. */
export function placements(ruleset: Ruleset, kernel: readonly TableName[]): readonly ChainPlacement[] {
  return ruleset.tables.flatMap((table) => {
    const ofKernel = kernel.includes(table.name);
    const bridged = ofKernel ? new Set<string>() : bridgedChains(table, ruleset.family);
    return table.chains.map((chain) => ({
      family: ruleset.family,
      table: table.name,
      chain: chain.name,
      placement: ofKernel ? 'kernel' : bridged.has(chain.name) ? 'bpf+bridge' : 'bpf',
      rules: ruleCount(chain),
    }));
  });
}

/** Numbers of rules by placement. */
export type Share = Readonly<Record<Placement, number>>;

/** How the rules of the tables that could run as programs (all but nat) are divided. */
export function shareOf(chains: readonly ChainPlacement[]): Share {
  const share = { bpf: 0, 'bpf+bridge': 0, kernel: 0 };
  for (const { table, placement, rules } of chains) if (table !== 'nat') share[placement] += rules;
  return share;
}

/** Names of the chains from which a REJECT or an effect can be reached, by their own rules or by jumps and gotos. */
export function bridgedChains(table: Table, family: Family): ReadonlySet<string> {
  const asking = new Set(table.chains.filter((chain) => asksKernel(chain, family)).map((chain) => chain.name));
  const callers = new Map<string, string[]>();
  for (const chain of table.chains) {
    for (const { target } of differentRules(chain)) {
      if (target.kind !== 'jump' && target.kind !== 'goto') continue;
      const known = callers.get(target.chain);
      if (known === undefined) callers.set(target.chain, [chain.name]);
      else known.push(chain.name);
    }
  }
  // A Set hands out members that are added while it is walked, so this visits callers of callers too.
  for (const name of asking) for (const caller of callers.get(name) ?? []) asking.add(caller);
  return asking;
}

function asksKernel(chain: Chain, family: Family): boolean {
  return differentRules(chain).some(({ target, matches }) => {
    if (matches.some(({ name, options }) => findMatch(name, family)?.suspends?.(options) === true)) return true;
    if (target.kind === 'verdict') return target.verdict === 'QUEUE';
    return (
      target.kind === 'extension' && (target.name === 'REJECT' || findTarget(target.name, family)?.effect !== undefined)
    );
  });
}
