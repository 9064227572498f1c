/** The rules of routing (`ip rule`) of the calling thread's network namespace, as far as they decide what is asked first. */

import type { Family } from '../packet/netfilter.ts';
import type { KernelWords } from './kernel-words.ts';

const OPERATIONS = { ipv4: 'ipv4.rules_ops', ipv6: 'ipv6.fib6_rules_ops' } as const satisfies Record<Family, string>;
const PARTICULARS = { ipv4: 'fib4_rule', ipv6: 'fib6_rule' } as const satisfies Record<Family, string>;
const LENGTHS = { ipv4: ['src_len', 'dst_len'], ipv6: ['src.plen', 'dst.plen'] } as const satisfies Record<
  Family,
  readonly string[]
>;
const FR_ACT_TO_TBL = 1n;
const RT_TABLE_LOCAL = 255n;
const FIB_RULE_INVERT = 2n;
const UNSET = 0xffff_ffffn;

/** Selectors that must all be zero for a rule that holds for every packet. */
const SELECTORS = [
  'mark_mask',
  'l3mdev',
  'ip_proto',
  'tun_id',
  'sport_range',
  'dport_range',
  'uid_range.start',
] as const;

/**
 * Where the address of the first rule lies, and the rule, if it asks for table local whatever the packet. A rule never changes; another one in its
 * place has another address. Undefined: it does something else.
 */
export function findLocalRule(words: KernelWords, family: Family): { address: bigint; rule: bigint } | undefined {
  const operations = words.member(words.namespace(), 'net', OPERATIONS[family]);
  if (operations === 0n) return undefined;
  const address = words.place(operations, 'fib_rules_ops', 'rules_list');
  const rule = words.word(address);
  const value = (path: string): bigint => words.member(rule, 'fib_rule', path);
  const plain =
    value('action') === FR_ACT_TO_TBL &&
    value('table') === RT_TABLE_LOCAL &&
    (value('flags') & FIB_RULE_INVERT) === 0n &&
    value('suppress_prefixlen') === UNSET &&
    value('suppress_ifgroup') === UNSET &&
    SELECTORS.every((path) => value(path) === 0n) &&
    ['iifname', 'oifname'].every((path) => words.text(words.place(rule, 'fib_rule', path)) === '') &&
    [...LENGTHS[family], 'dscp'].every((path) => words.member(rule, PARTICULARS[family], path) === 0n);
  return plain ? { address, rule } : undefined;
}
