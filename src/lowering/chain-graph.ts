/**
 * Which rules a packet can reach, from which hooks, and whether the jumps run in a circle: what the kernel works out in
 * mark_source_chains when a table is loaded.
 *
 * The kernel follows every jump and goto, whatever the conditions of its rule, and stops in a chain only at a rule that
 * asks nothing at all and ends in ACCEPT, DROP, QUEUE or RETURN. What it never reaches it does not check: a circle in
 * there, or a target that its hook would forbid, is accepted.
 */

import type { Family, Hook } from '../packet/netfilter.ts';
import { isHook } from '../packet/netfilter.ts';
import type { Chain, Rule, Table } from '../rules/model.ts';

export interface ChainGraph {
  /** Hooks from which rule `rule` (from 0) of chain `chain` can be reached; none: no packet ever gets there. */
  hooksOf(chain: number, rule: number): readonly Hook[];
  /** Circles of reachable jumps, each as the rules that close it, first to last. */
  readonly circles: readonly (readonly Jump[])[];
}

/** A rule that jumps, by its chain and position (from 0). */
export interface Jump {
  readonly chain: Chain;
  readonly rule: number;
}

/** Explores the jumps of a table. Jumps to chains that do not exist lead nowhere. */
export function chainGraph(table: Table, family: Family): ChainGraph {
  const byName = new Map(table.chains.map((chain) => [chain.name, chain]));
  const live = new Map(table.chains.map((chain) => [chain, liveRules(chain, family)]));
  const hooks = new Map<Chain, Hook[]>(table.chains.map((chain) => [chain, []]));
  const circles: (readonly Jump[])[] = [];

  /** The jumps that led to where we are. */
  const path: Jump[] = [];
  const visit = (chain: Chain, hook: Hook): void => {
    const start = path.findIndex((jump) => jump.chain === chain);
    if (start !== -1) {
      circles.push(Object.freeze(path.slice(start)));
      return;
    }
    const seen = hooks.get(chain)!;
    if (seen.includes(hook)) return;
    seen.push(hook);
    for (const [at, rule] of chain.rules.slice(0, live.get(chain)!).entries()) {
      const next = jumpTarget(rule);
      const target = next === undefined ? undefined : byName.get(next);
      if (target === undefined) continue;
      path.push({ chain, rule: at });
      visit(target, hook);
      path.pop();
    }
  };
  for (const chain of table.chains) if (chain.policy !== undefined && isHook(chain.name)) visit(chain, chain.name);

  return {
    hooksOf: (chain, rule) => {
      const found = table.chains[chain];
      return found !== undefined && rule < live.get(found)! ? hooks.get(found)! : [];
    },
    circles: Object.freeze(firstOfEach(circles)),
  };
}

/** The name of the chain that a rule jumps or goes to. */
export function jumpTarget(rule: Rule): string | undefined {
  return rule.target.kind === 'jump' || rule.target.kind === 'goto' ? rule.target.chain : undefined;
}

/** How many rules of a chain can run: those up to the first unconditional verdict. */
function liveRules(chain: Chain, family: Family): number {
  const end = chain.rules.findIndex((rule) => rule.target.kind === 'verdict' && isUnconditional(rule, family));
  return end === -1 ? chain.rules.length : end + 1;
}

/** The kernel's unconditional(): no matches, and an ip part of nothing but zeros. `-m comment` or `-i +` make a condition. */
function isUnconditional(rule: Rule, family: Family): boolean {
  const { source, destination, inInterface, outInterface, protocol, fragment } = rule.ip;
  return (
    rule.matches.length === 0 &&
    [source, destination].every(
      (s) => s === undefined || (s.value.address === 0n && s.value.mask === 0n && !s.invert),
    ) &&
    [inInterface, outInterface].every((s) => s === undefined || (s.value === '' && !s.invert)) &&
    fragment === undefined &&
    // IPv6 marks the mere presence of -p with a flag.
    (protocol === undefined || (family === 'ipv4' && protocol.value === 0 && !protocol.invert))
  );
}

/** One circle is found once for each hook that leads to it. */
function firstOfEach(circles: readonly (readonly Jump[])[]): readonly (readonly Jump[])[] {
  const key = (circle: readonly Jump[]): string =>
    circle
      .map((jump) => `${jump.chain.name} ${jump.rule}`)
      .sort()
      .join('\n');
  return circles.filter((circle, at) => circles.findIndex((other) => key(other) === key(circle)) === at);
}
