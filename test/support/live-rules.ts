/** Rules for tests of changes of one rule: many that a look-up takes, some that it does not. */
import { parseRuleset } from '../../src/languages/iptables/parse.ts';
import type { Family } from '../../src/packet/netfilter.ts';
import type { Rule } from '../../src/rules/model.ts';

/** Chains of the table filter in these tests: packets for this machine come to `own` by a jump in the middle. */
export const LIVE_CHAINS = ['INPUT', 'own'] as const;
export type LiveChainName = (typeof LIVE_CHAINS)[number];

const HEAD = '*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n:own - [0:0]\n';

/** Restore text of the table with these rules. */
export function liveText(chains: Readonly<Record<LiveChainName, readonly string[]>>): string {
  const lines = LIVE_CHAINS.flatMap((chain) => chains[chain].map((rule) => `-A ${chain} ${rule}\n`));
  return `${HEAD}${lines.join('')}COMMIT\n`;
}

/** One rule, read. */
export function liveRuleOf(rule: string, family: Family): Rule {
  const { ruleset } = parseRuleset({ name: 'rule', text: `${HEAD}-A INPUT ${rule}\nCOMMIT\n` }, family);
  const found = ruleset?.tables[0]?.chains.find(({ name }) => name === 'INPUT')?.rules[0];
  if (found === undefined) throw new Error(`not a rule: ${rule}`);
  return found;
}

/** A rule by number: overlapping prefixes, addresses and ports; every eighth or so is one of its own kind. */
export function lineOf(i: number, family: Family): string {
  const addresses =
    family === 'ipv4'
      ? [`-s 10.${i % 7}.${i % 251}.${i % 13}`, `-s 10.${i % 7}.${i % 251}.0/24`, `-s 10.${i % 5}.0.0/16`]
      : [`-s fd00:${i % 7}::${i % 251}`, `-s fd00:${i % 7}:${i % 31}::/48`, `-s fd00:${i % 5}::/32`];
  const source = addresses[i % 3]!;
  const ports = [`--dport ${i % 90}`, `--dport ${i % 60}:${(i % 60) + 40}`, '--sport 53'][i % 5 > 2 ? 2 : i % 2]!;
  const target = (['DROP', 'ACCEPT', 'DROP', 'REJECT', 'RETURN'] as const)[i % 5]!;
  if (i % 13 === 0) return `${source} -j ${target}`;
  if (i % 17 === 0) return `${source} -m comment --comment "number ${i}"`;
  const protocol = i % 6 === 0 ? 'udp -m udp' : 'tcp -m tcp';
  return `${i % 11 === 0 ? '' : source} -p ${protocol} ${ports} -j ${target}`.trim();
}

/** Rules that need programs of their own: another match, memory, a jump, an unconditional verdict. */
export const OTHER_RULES = [
  '-m length --length 40:100 -j ACCEPT',
  '-p tcp -m tcp --dport 22 -m limit --limit 1/hour --limit-burst 3 -j ACCEPT',
  '-p udp -j LOG --log-prefix other',
  '-p udp -m udp --dport 9 -g own',
] as const;
