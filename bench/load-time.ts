/** How long it takes to put a rule set into force: reading, compiling, loading, switching, in this process. */
import { execFileSync } from 'node:child_process';
import { flush } from '../src/firewall/flush.ts';
import { applyPlans } from '../src/firewall/install.ts';
import { planFamily } from '../src/firewall/plan.ts';
import { withExclusiveSession } from '../src/firewall/session.ts';
import { readKernelFacts } from '../src/kernel/facts.ts';
import { parseRuleset } from '../src/languages/iptables/parse.ts';
import type { Bench, BenchRow } from './result.ts';
import { sampleOf } from './statistics.ts';

const RULES = 1000;
const ROUNDS = 9;
const GROUP = `${RULES} rules`;
const NAMESPACE = `bfh-bench-${process.pid}`;

/** Rules of different kinds in a base chain and a user chain. */
function text(round: number): string {
  const rules = Array.from({ length: RULES - 2 }, (_, index) => {
    const chain = index % 2 === 0 ? 'INPUT' : 'services';
    const net = `10.${round}.${index >> 8}.${index & 255}/32`;
    switch (index % 5) {
      case 0:
        return `-A ${chain} -s ${net} -j DROP`;
      case 1:
        return `-A ${chain} -s ${net} -p tcp -m tcp --dport ${1024 + index} -j ACCEPT`;
      case 2:
        return `-A ${chain} -d ${net} -p udp -m udp --sport ${index}:${index + 5} -j ACCEPT`;
      case 3:
        return `-A ${chain} -s ${net} -p tcp -m multiport --dports 22,80,443 -m conntrack --ctstate NEW -j ACCEPT`;
      default:
        return `-A ${chain} -s ${net} -d 192.0.2.0/24`;
    }
  });
  return `*filter\n:INPUT DROP [0:0]\n:FORWARD DROP [0:0]\n:OUTPUT ACCEPT [0:0]\n:services - [0:0]\n-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\n-A INPUT -j services\n${rules.join('\n')}\nCOMMIT\n`;
}

function rows(): readonly BenchRow[] {
  const facts = readKernelFacts();
  const times = { read: [] as number[], compile: [] as number[], load: [] as number[], all: [] as number[] };
  execFileSync('ip', ['netns', 'add', NAMESPACE]);
  try {
    for (let round = 0; round < ROUNDS; round++) {
      const source = { name: 'bench', text: text(round) };
      const started = performance.now();
      const { ruleset } = parseRuleset(source, 'ipv4');
      const read = performance.now();
      if (ruleset === undefined) throw new Error('the benchmark’s own rules are refused');
      const { plan } = planFamily(ruleset, facts, { counters: false });
      const compiled = performance.now();
      if (plan === undefined) throw new Error('the benchmark’s own rules do not compile');
      withExclusiveSession(NAMESPACE, 5, ({ layout }) => applyPlans(layout, [plan]));
      const loaded = performance.now();
      times.read.push(read - started);
      times.compile.push(compiled - read);
      times.load.push(loaded - compiled);
      times.all.push(loaded - started);
    }
  } finally {
    try {
      withExclusiveSession(NAMESPACE, 5, ({ layout }) => flush(layout));
    } finally {
      execFileSync('ip', ['netns', 'del', NAMESPACE]);
    }
  }
  const row = (name: string, values: readonly number[], bar?: number): BenchRow => {
    return { group: GROUP, name, unit: 'ms', ...sampleOf(values), ...(bar === undefined ? {} : { bar }) };
  };
  return [
    row('read', times.read),
    row('lower and compile', times.compile),
    row('load, verify and switch', times.load),
    row('all of it', times.all, 500),
    row('all of it, the first time', times.all.slice(0, 1)),
  ];
}

export const loadTime: Bench = { name: GROUP, run: rows };
