/** What `bpfilter top` has read at one moment: the counters of every rule and policy, by what the rule says. */

import type { Family } from '../../packet/netfilter.ts';

export interface CountedRule {
  /** `netfilter`, or the hook of a device such as `xdp:eth0`. */
  readonly hook: string;
  readonly family: Family;
  readonly table: string;
  readonly chain: string;
  /** 1-based; 0: the policy. */
  readonly number: number;
  /** As iptables-save writes it, without the chain; `policy DROP`. */
  readonly words: string;
  readonly packets: bigint;
  readonly bytes: bigint;
}

export interface Sample {
  /** Milliseconds of a clock that never goes back. */
  readonly at: number;
  readonly rules: readonly CountedRule[];
}

/** The rules in restore text with counters, as `bpfilter save -c` prints it. */
export function countedRules(text: string, hook: string, family: Family): readonly CountedRule[] {
  const out: CountedRule[] = [];
  const numbers = new Map<string, number>();
  let table = '';
  for (const line of text.split('\n')) {
    if (line.startsWith('*')) {
      table = line.slice(1);
      numbers.clear();
      continue;
    }
    const policy = /^:(\S+) (ACCEPT|DROP) \[(\d+):(\d+)\]$/.exec(line);
    if (policy !== null) {
      const [, chain = '', verdict = '', packets = '0', bytes = '0'] = policy;
      out.push({
        ...{ hook, family, table, chain, number: 0, words: `policy ${verdict}` },
        ...{ packets: BigInt(packets), bytes: BigInt(bytes) },
      });
      continue;
    }
    const rule = /^\[(\d+):(\d+)\] -A (\S+) ?(.*)$/.exec(line);
    if (rule === null) continue;
    const [, packets = '0', bytes = '0', chain = '', words = ''] = rule;
    const number = (numbers.get(chain) ?? 0) + 1;
    numbers.set(chain, number);
    out.push({ ...{ hook, family, table, chain, number, words }, packets: BigInt(packets), bytes: BigInt(bytes) });
  }
  return out;
}
