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
import type { Chain, MaskedAddress, Rule, Selector, Table } from './model.ts';
import { columnsOf, type RuleColumns } from './rule-columns.ts';

export interface ChainGraph {
  /** Hooks from which rule `rule` (from 0) of chain `chain` can be reached; none: no packet ever gets there. */
  hooksOf(chain: number, rule: number): readonly Hook[];
  /** Circles of reachable jumps, each as the rules that close it, first to last; at most CIRCLES_MAX of them. */
  readonly circles: readonly (readonly Jump[])[];
}

/** A rule that jumps, by its chain and position (from 0). */
export interface Jump {
  readonly chain: Chain;
  readonly rule: number;
}

/** More circles than this tell nobody more, and a hostile table has a great many. */
export const CIRCLES_MAX = 20;

interface Node {
  readonly chain: Chain;
  /** The chain's live jumps: position of the rule and where it leads. */
  readonly jumps: readonly { readonly rule: number; readonly to: Node }[];
  readonly live: number;
  readonly hooks: Hook[];
  /** Place on the path that is being walked, -1 if not there. */
  depth: number;
}

/** Explores the jumps of a table. Jumps to chains that do not exist lead nowhere. */
export function chainGraph(table: Table, family: Family): ChainGraph {
  const nodes = linkChains(table, family);
  const circles: (readonly Jump[])[] = [];
  for (const node of nodes) {
    if (node.chain.policy !== undefined && isHook(node.chain.name)) walk(node, node.chain.name, circles);
  }
  return {
    hooksOf: (chain, rule) => {
      const node = nodes[chain];
      return node !== undefined && rule < node.live ? node.hooks : [];
    },
    circles: Object.freeze(circles),
  };
}

function linkChains(table: Table, family: Family): readonly Node[] {
  const byName = new Map<string, Node>();
  const nodes = table.chains.map((chain) => {
    const node = { chain, jumps: [], live: liveRules(chain, family), hooks: [], depth: -1 };
    byName.set(chain.name, node);
    return node as Node & { jumps: { rule: number; to: Node }[] };
  });
  for (const node of nodes) {
    // No rule that is in columns jumps.
    for (const [at, rule] of columnsOf(node.chain)?.others ?? node.chain.rules.entries()) {
      if (at >= node.live) break;
      const name = jumpTarget(rule);
      const to = name === undefined ? undefined : byName.get(name);
      if (to !== undefined) node.jumps.push({ rule: at, to });
    }
  }
  return nodes;
}

/** Depth first from a built-in chain, with a stack of its own: chains may be nested deeper than calls can be. */
function walk(root: Node, hook: Hook, circles: (readonly Jump[])[]): void {
  const path: { node: Node; next: number }[] = [];
  const enter = (node: Node): void => {
    if (node.hooks.includes(hook)) return;
    node.hooks.push(hook);
    node.depth = path.length;
    path.push({ node, next: 0 });
  };
  enter(root);
  for (let top = path.at(-1); top !== undefined; top = path.at(-1)) {
    const jump = top.node.jumps[top.next++];
    if (jump === undefined) {
      top.node.depth = -1;
      path.pop();
    } else if (jump.to.depth === -1) {
      enter(jump.to);
    } else if (circles.length < CIRCLES_MAX) {
      const circle = path
        .slice(jump.to.depth)
        .map(({ node, next }) => ({ chain: node.chain, rule: node.jumps[next - 1]!.rule }));
      // One circle is found once for each hook that leads to it.
      if (!circles.some((known) => sameCircle(known, circle))) circles.push(Object.freeze(circle));
    }
  }
}

function sameCircle(a: readonly Jump[], b: readonly Jump[]): boolean {
  return (
    a.length === b.length &&
    a.every((jump) => b.some((other) => other.chain === jump.chain && other.rule === jump.rule))
  );
}

/** The name of the chain that a rule jumps or goes to. */
export function jumpTarget(rule: Rule): string | undefined {
  return rule.target.kind === 'jump' || rule.target.kind === 'goto' ? rule.target.chain : undefined;
}

/** How many rules of a chain can run: those up to the first unconditional verdict. */
function liveRules(chain: Chain, family: Family): number {
  const columns = columnsOf(chain);
  if (columns !== undefined) return liveColumns(columns, family);
  const end = chain.rules.findIndex((rule) => endsChain(rule, family));
  return end === -1 ? chain.rules.length : end + 1;
}

function liveColumns({ count, kinds, kind, others }: RuleColumns, family: Family): number {
  let live = count;
  const ends = kinds.map(({ example }) => endsChain(example, family));
  if (ends.includes(true)) {
    const at = kind.findIndex((number) => ends[number] === true);
    if (at !== -1) live = at + 1;
  }
  for (const [at, rule] of others) {
    if (at >= live) break;
    if (endsChain(rule, family)) return at + 1;
  }
  return live;
}

/** Whether no rule behind this one can run: an unconditional verdict. */
export function endsChain(rule: Rule, family: Family): boolean {
  return rule.target.kind === 'verdict' && isUnconditional(rule, family);
}

/** The kernel's unconditional(): no matches, and an ip part of nothing but zeros. `-m comment` or `-i +` make a condition. */
function isUnconditional({ ip, matches }: Rule, family: Family): boolean {
  // One after the other: most rules are done with the first, and members that a rule does not have take long to find out.
  if (matches.length > 0 || asksAddress(ip.source) || asksAddress(ip.destination)) return false;
  if (asksInterface(ip.inInterface) || asksInterface(ip.outInterface) || ip.fragment !== undefined) return false;
  const { protocol } = ip;
  // IPv6 marks the mere presence of -p with a flag.
  return protocol === undefined || (family === 'ipv4' && protocol.value === 0 && !protocol.invert);
}

function asksAddress(selector: Selector<MaskedAddress> | undefined): boolean {
  return selector !== undefined && (selector.value.address !== 0n || selector.value.mask !== 0n || selector.invert);
}

function asksInterface(selector: Selector<string> | undefined): boolean {
  return selector !== undefined && (selector.value !== '' || selector.invert);
}
