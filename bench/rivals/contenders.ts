/** Who competes: how each takes the rules of a workload, and what it says that it counted. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { exit, mov } from '../../src/bpf/assembly.ts';
import { buildProgram } from '../../src/bpf/builder.ts';
import { R0 } from '../../src/bpf/instruction.ts';
import { formatDiagnostic } from '../../src/diagnostics/diagnostic.ts';
import { flush } from '../../src/firewall/flush.ts';
import { applyPlans } from '../../src/firewall/install.ts';
import { readObjects } from '../../src/firewall/objects.ts';
import { planFamily } from '../../src/firewall/plan.ts';
import { readRuleset } from '../../src/firewall/read.ts';
import { withExclusiveSession, withSession } from '../../src/firewall/session.ts';
import { readKernelFacts } from '../../src/kernel/facts.ts';
import { attachNetfilter } from '../../src/kernel/link.ts';
import { withNamespace } from '../../src/kernel/namespace.ts';
import { loadProgram } from '../../src/kernel/program.ts';
import { parseRuleset } from '../../src/languages/iptables/parse.ts';
import type { Family } from '../../src/packet/netfilter.ts';
import type { Arena } from './arena.ts';
import { apart, ipsetTexts, nftFamily, nftLinearText, nftSetText } from './texts.ts';
import type { Workload } from './workload.ts';

/** Packets that each rule counted, by chain and number, and the policy; or only how many met a rule and how many the policy. */
export type Counted =
  | { readonly kind: 'rules'; readonly packets: ReadonlyMap<string, number>; readonly policy: number }
  | { readonly kind: 'totals'; readonly rules: number; readonly policy: number };

export interface Contender {
  readonly name: string;
  /** Why it does not take part in this workload; undefined when it does. */
  excused?(workload: Workload): string | undefined;
  /** Puts the rules into force; returns milliseconds, a whole command where it is one. */
  install(arena: Arena, workload: Workload): number;
  /** Undefined: it does not say. */
  counted?(arena: Arena, workload: Workload): Counted | undefined;
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
  install(arena, { family }) {
    return timed(() => {
      const program = loadProgram(buildProgram('bench_drop', 'netfilter', [mov.imm(R0, 0), exit()]));
      // The link holds the program until its descriptor is closed with the process.
      withNamespace(arena.namespace, () => attachNetfilter(program, { family, hook: 'PREROUTING', priority: -300 }));
    });
  },
};

const BPFILTER: Contender = {
  name: 'bpfilter',
  install(arena, { iptables, family }) {
    const facts = readKernelFacts();
    return timed(() => {
      const { ruleset, diagnostics } = parseRuleset({ name: 'bench', text: iptables }, family);
      if (ruleset === undefined) throw new Error(diagnostics.map(formatDiagnostic).join('\n'));
      const { plan, diagnostics: late } = planFamily(ruleset, facts, { counters: false });
      if (plan === undefined) throw new Error(late.map(formatDiagnostic).join('\n'));
      withExclusiveSession(arena.namespace, 5, ({ layout }) => applyPlans(layout, [plan]));
    });
  },
  counted(arena, { family }) {
    const table = withSession(arena.namespace, ({ layout }) => readRuleset(layout, family))?.ruleset.tables[0];
    const chains = (table?.chains ?? []).filter(({ name }) => name !== 'OUTPUT');
    const rules = chains.flatMap(({ name, rules }) =>
      rules.map((rule, at): [string, number] => [`${name} ${at + 1}`, Number(rule.counters?.packets ?? 0n)]),
    );
    const base = chains.find(({ name }) => name === 'PREROUTING');
    return { kind: 'rules', packets: new Map(rules), policy: Number(base?.counters?.packets ?? 0n) };
  },
  remove(arena) {
    withExclusiveSession(arena.namespace, 5, ({ layout }) => flush(layout));
  },
};

const COMMANDS = { ipv4: 'iptables-legacy', ipv6: 'ip6tables-legacy' } as const;

const LEGACY: Contender = {
  name: 'iptables-legacy',
  install: (arena, { iptables, family }) => timed(() => arena.inside(`${COMMANDS[family]}-restore`, [], iptables)),
  counted: (arena, { family }) => savedCounters(arena.inside(`${COMMANDS[family]}-save`, ['-c', '-t', 'raw'])),
};

/** Counters of `iptables-save -c`. */
function savedCounters(text: string): Counted & { readonly kind: 'rules' } {
  const packets = new Map<string, number>();
  const lengths = new Map<string, number>();
  for (const [, count, chain = ''] of text.matchAll(/^\[(\d+):\d+\] -A (\S+)/gm)) {
    const at = (lengths.get(chain) ?? 0) + 1;
    lengths.set(chain, at);
    packets.set(`${chain} ${at}`, Number(count));
  }
  return { kind: 'rules', packets, policy: Number(/^:PREROUTING \w+ \[(\d+)/m.exec(text)?.[1] ?? 0) };
}

const NFT_LINEAR: Contender = {
  name: 'nft linear',
  install(arena, { filters, iptables, family }) {
    const text = filters === undefined ? translated(arena, iptables) : nftLinearText(filters, family);
    return timed(() => arena.inside('nft', ['-f', '-'], text));
  },
  counted: (arena, { filters, family }) => {
    if (filters === undefined) return undefined;
    const counters = listedCounters(arena, family);
    const packets = counters.slice(0, -1).map((count, at): [string, number] => [`PREROUTING ${at + 1}`, count]);
    return { kind: 'rules', packets: new Map(packets), policy: counters.at(-1) ?? 0 };
  },
};

/** What iptables' own translator makes of the rules. */
function translated(arena: Arena, iptables: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'bench-'));
  try {
    const file = join(folder, 'rules');
    writeFileSync(file, iptables);
    return arena.inside('iptables-restore-translate', ['-f', file]);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function listedCounters(arena: Arena, family: Family): readonly number[] {
  const text = arena.inside('nft', ['list', 'table', nftFamily(family), 'bench']);
  return [...text.matchAll(/counter packets (\d+)/g)].map((match) => Number(match[1]));
}

/** Interval sets of more elements than this take nft minutes to load. */
const MOST_INTERVALS = 10_000;
const MOST_SETS = 16;

const NFT_SET: Contender = {
  name: 'nft set',
  excused({ filters, shape, family }) {
    if (filters === undefined) return 'a tree of chains has no one set';
    if (family === 'ipv6') return 'written for IPv4 only';
    if (shape === 'source' || shape.startsWith('five-tuple')) return undefined;
    if (filters.length > MOST_INTERVALS) return 'nft would take minutes to load an interval set of this size';
    const sets = apart(filters).length;
    return sets > MOST_SETS ? `elements may not overlap: ${sets} sets would be needed` : undefined;
  },
  install(arena, { filters = [] }) {
    const text = nftSetText(filters);
    return timed(() => arena.inside('nft', ['-f', '-'], text));
  },
  counted(arena) {
    const counters = listedCounters(arena, 'ipv4');
    return { kind: 'totals', rules: counters.slice(0, -1).reduce((a, b) => a + b, 0), policy: counters.at(-1) ?? 0 };
  },
};

const IPSET: Contender = {
  name: 'ipset + iptables',
  excused: ({ filters }) =>
    filters === undefined || ipsetTexts(filters) === undefined ? 'no type of ipset has these fields' : undefined,
  install(arena, { filters = [] }) {
    const { sets, rules } = ipsetTexts(filters ?? [])!;
    return timed(() => {
      arena.inside('ipset', ['restore'], sets);
      arena.inside('iptables-legacy-restore', [], rules);
    });
  },
  counted(arena) {
    const { packets, policy } = savedCounters(arena.inside('iptables-legacy-save', ['-c', '-t', 'raw']));
    return { kind: 'totals', rules: packets.get('PREROUTING 1') ?? 0, policy };
  },
};

/** The same set, asked by a bpfilter rule. */
const IPSET_BPFILTER: Contender = {
  name: 'ipset + bpfilter',
  excused: (workload) => IPSET.excused?.(workload),
  install(arena, { filters = [] }) {
    const { sets, rules } = ipsetTexts(filters)!;
    const facts = readKernelFacts();
    return timed(() => {
      arena.inside('ipset', ['restore'], sets);
      const { ruleset } = parseRuleset({ name: 'bench', text: rules }, 'ipv4');
      const objects = withNamespace(arena.namespace, () => readObjects([ruleset!]));
      const { plan, diagnostics } = planFamily(ruleset!, facts, { counters: false, objects });
      if (plan === undefined) throw new Error(diagnostics.map(formatDiagnostic).join('\n'));
      withExclusiveSession(arena.namespace, 5, ({ layout }) => applyPlans(layout, [plan]));
    });
  },
  counted(arena, workload) {
    const counted = BPFILTER.counted?.(arena, workload);
    if (counted?.kind !== 'rules') return undefined;
    return { kind: 'totals', rules: counted.packets.get('PREROUTING 1') ?? 0, policy: counted.policy };
  },
  remove: (arena) => BPFILTER.remove?.(arena),
};

export const CONTENDERS: readonly Contender[] = [BPFILTER, LEGACY, NFT_LINEAR, NFT_SET, IPSET, IPSET_BPFILTER];
