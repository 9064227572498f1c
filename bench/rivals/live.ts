/** One rule changed in a process that has put the rules into force and stays: what it takes, from the rule to the packet. */
import { flush } from '../../src/firewall/flush.ts';
import type { RuleEdit } from '../../src/firewall/live/in-place.ts';
import { type LiveFirewall, openLiveFirewall } from '../../src/firewall/live/live-firewall.ts';
import { withExclusiveSession } from '../../src/firewall/session.ts';
import { parseRuleset } from '../../src/languages/iptables/parse.ts';
import type { Rule } from '../../src/rules/model.ts';
import type { Bench, BenchRow } from '../result.ts';
import { sampleOf } from '../statistics.ts';
import { indexes, inNamespace, iptablesText, rule } from './control.ts';

const SIZES = [1000, 10_000, 100_000] as const;
const BARS: Readonly<Record<number, number>> = { 10000: 5, 100000: 20 };
/** Of each kind. Some changes wait for a grace period, since this process does nothing else meanwhile. */
const CHANGES = 50;

const PLACE = { table: 'filter', chain: 'INPUT' } as const;

function parsed(i: number): Rule {
  const text = `*filter\n:INPUT ACCEPT [0:0]\n-A INPUT ${rule(i)}\nCOMMIT\n`;
  return parseRuleset({ name: 'rule', text }, 'ipv4').ruleset!.tables[0]!.chains[0]!.rules[0]!;
}

/** Kinds of changes of a chain of `count` rules, which each leaves as long as it was or one longer. */
function kinds(count: number): Readonly<Record<string, (i: number, length: number) => RuleEdit>> {
  const fresh = (i: number, kind: 'insert' | 'replace', at: number): RuleEdit => ({
    ...PLACE,
    kind,
    at,
    rule: parsed(count + i),
  });
  return {
    'append one': (i, length) => fresh(i, 'insert', length),
    'insert one at the head': (i) => fresh(CHANGES + i, 'insert', 0),
    'insert one in the middle': (i, length) => fresh(2 * CHANGES + i, 'insert', length >> 1),
    'replace one': (i, length) => fresh(3 * CHANGES + i, 'replace', (i * 7919) % length),
    'delete one': (i, length) => ({ ...PLACE, kind: 'delete', at: (i * 7919) % length }),
  };
}

function measure(live: LiveFirewall, group: string, count: number): readonly BenchRow[] {
  const { ruleset } = parseRuleset({ name: 'bench', text: iptablesText(count) }, 'ipv4');
  live.apply(ruleset!, { counters: false });
  let length = count;
  const all: number[] = [];
  const rows = Object.entries(kinds(count)).map(([name, edit]): BenchRow => {
    const times = indexes(CHANGES).map((i) => {
      const start = performance.now();
      const change = edit(i, length);
      const { how } = live.change([change]);
      const took = performance.now() - start;
      if (how !== 'memory') throw new Error(`${name} ${i} took a new generation`);
      length += change.kind === 'insert' ? 1 : change.kind === 'delete' ? -1 : 0;
      return took;
    });
    all.push(...times);
    const bar = BARS[count];
    return {
      group,
      name: `bpfilter, warm: ${name}`,
      unit: 'ms',
      ...sampleOf(times),
      ...(bar === undefined ? {} : { bar }),
    };
  });
  const sorted = all.sort((a, b) => a - b);
  const [high, longest] = [sorted[Math.floor(sorted.length * 0.99)]!, sorted.at(-1)!];
  return [...rows, { group, name: 'bpfilter, warm: 99 of 100 below, longest', unit: 'ms', min: high, median: longest }];
}

function benchOf(count: number): Bench {
  const group = `live ${count}`;
  return {
    name: group,
    run: () =>
      inNamespace((netns) => {
        const live = openLiveFirewall({ family: 'ipv4', netns, waitSeconds: 5 });
        try {
          return measure(live, group, count);
        } finally {
          live.close();
          withExclusiveSession(netns, 5, ({ layout }) => flush(layout));
        }
      }),
  };
}

export const LIVE_BENCHES: readonly Bench[] = SIZES.map(benchOf);
