/** Who competes: how each takes the rules of a workload, and what it says that it counted. */
import { exit, mov } from '../../src/bpf/assembly.ts';
import { buildProgram } from '../../src/bpf/builder.ts';
import { R0 } from '../../src/bpf/instruction.ts';
import { formatDiagnostic } from '../../src/diagnostics/diagnostic.ts';
import { flush } from '../../src/firewall/flush.ts';
import { applyPlans } from '../../src/firewall/install.ts';
import { planFamily } from '../../src/firewall/plan.ts';
import { readRuleset } from '../../src/firewall/read.ts';
import { withExclusiveSession, withSession } from '../../src/firewall/session.ts';
import { readKernelFacts } from '../../src/kernel/facts.ts';
import { attachNetfilter } from '../../src/kernel/link.ts';
import { withNamespace } from '../../src/kernel/namespace.ts';
import { loadProgram } from '../../src/kernel/program.ts';
import { parseRuleset } from '../../src/languages/iptables/parse.ts';
import type { Arena } from './arena.ts';
import { apart, ipsetTexts, iptablesText, nftLinearText, nftSetText } from './texts.ts';
import type { Workload } from './workload.ts';

/** Packets that each rule counted, the policy last; or only how many met a rule and how many the policy. */
export type Counted =
  | { readonly kind: 'rules'; readonly packets: readonly number[] }
  | { readonly kind: 'totals'; readonly rules: number; readonly policy: number };

export interface Contender {
  readonly name: string;
  /** Why it does not take part in this workload; undefined when it does. */
  excused?(workload: Workload): string | undefined;
  /** Puts the rules into force; returns milliseconds, a whole command where it is one. */
  install(arena: Arena, workload: Workload): number;
  counted?(arena: Arena): Counted;
  remove?(arena: Arena): void;
}

function timed(action: () => void): number {
  const start = performance.now();
  action();
  return performance.now() - start;
}

/** The least that filtering can cost here: a BPF program at the same place that drops. What the others add to it is their cost. */
export const FLOOR: Contender = {
  name: 'floor',
  install(arena) {
    return timed(() => {
      const program = loadProgram(buildProgram('bench_drop', 'netfilter', [mov.imm(R0, 0), exit()]));
      // The link holds the program until its descriptor is closed with the process.
      withNamespace(arena.namespace, () =>
        attachNetfilter(program, { family: 'ipv4', hook: 'PREROUTING', priority: -300 }),
      );
    });
  },
};

const BPFILTER: Contender = {
  name: 'bpfilter',
  install(arena, { filters }) {
    const facts = readKernelFacts();
    return timed(() => {
      const { ruleset, diagnostics } = parseRuleset({ name: 'bench', text: iptablesText(filters) }, 'ipv4');
      if (ruleset === undefined) throw new Error(diagnostics.map(formatDiagnostic).join('\n'));
      const { plan, diagnostics: late } = planFamily(ruleset, facts, { counters: false });
      if (plan === undefined) throw new Error(late.map(formatDiagnostic).join('\n'));
      withExclusiveSession(arena.namespace, 5, ({ layout }) => applyPlans(layout, [plan]));
    });
  },
  counted(arena) {
    const table = withSession(arena.namespace, ({ layout }) => readRuleset(layout, 'ipv4'))?.ruleset.tables[0];
    const chain = table?.chains.find(({ name }) => name === 'PREROUTING');
    const packets = (chain?.rules ?? []).map((rule) => Number(rule.counters?.packets ?? 0n));
    return { kind: 'rules', packets: [...packets, Number(chain?.counters?.packets ?? 0n)] };
  },
  remove(arena) {
    withExclusiveSession(arena.namespace, 5, ({ layout }) => flush(layout));
  },
};

const LEGACY: Contender = {
  name: 'iptables-legacy',
  install(arena, { filters }) {
    const text = iptablesText(filters);
    return timed(() => arena.inside('iptables-legacy-restore', [], text));
  },
  counted: (arena) => ({
    kind: 'rules',
    packets: savedCounters(arena.inside('iptables-legacy-save', ['-c', '-t', 'raw'])),
  }),
};

/** Counters of the rules, then of the policy, from `iptables-save -c`. */
function savedCounters(text: string): readonly number[] {
  const rules = [...text.matchAll(/^\[(\d+):\d+\] -A PREROUTING/gm)].map((match) => Number(match[1]));
  return [...rules, Number(/^:PREROUTING \w+ \[(\d+)/m.exec(text)?.[1] ?? 0)];
}

const NFT_LINEAR: Contender = {
  name: 'nft linear',
  install(arena, { filters }) {
    const text = nftLinearText(filters);
    return timed(() => arena.inside('nft', ['-f', '-'], text));
  },
  counted: (arena) => ({ kind: 'rules', packets: listedCounters(arena) }),
};

function listedCounters(arena: Arena): readonly number[] {
  return [...arena.inside('nft', ['list', 'table', 'ip', 'bench']).matchAll(/counter packets (\d+)/g)].map((match) =>
    Number(match[1]),
  );
}

/** Interval sets of more than this many elements take nft minutes to load. */
const MOST_INTERVALS = 10_000;
const MOST_SETS = 16;

const NFT_SET: Contender = {
  name: 'nft set',
  excused({ filters, shape }) {
    if (shape === 'source' || shape === 'five-tuple') return undefined;
    if (filters.length > MOST_INTERVALS) return 'nft would take minutes to load an interval set of this size';
    const sets = apart(filters).length;
    return sets > MOST_SETS ? `elements may not overlap: ${sets} sets would be needed` : undefined;
  },
  install(arena, { filters }) {
    const text = nftSetText(filters);
    return timed(() => arena.inside('nft', ['-f', '-'], text));
  },
  counted(arena) {
    const counters = listedCounters(arena);
    return { kind: 'totals', rules: counters.slice(0, -1).reduce((a, b) => a + b, 0), policy: counters.at(-1) ?? 0 };
  },
};

const IPSET: Contender = {
  name: 'ipset + iptables',
  excused: ({ filters }) =>
    ipsetTexts(filters) === undefined ? 'ipset has no type for these fields with ranges' : undefined,
  install(arena, { filters }) {
    const { sets, rules } = ipsetTexts(filters)!;
    return timed(() => {
      arena.inside('ipset', ['restore'], sets);
      arena.inside('iptables-legacy-restore', [], rules);
    });
  },
  counted(arena) {
    const [rules = 0, policy = 0] = savedCounters(arena.inside('iptables-legacy-save', ['-c', '-t', 'raw']));
    return { kind: 'totals', rules, policy };
  },
};

export const CONTENDERS: readonly Contender[] = [BPFILTER, LEGACY, NFT_LINEAR, NFT_SET, IPSET];
