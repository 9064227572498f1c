/**
 * The intermediate form: what a table does to a packet, with nothing left of how iptables spells it.
 *
 * A rule is a list of conditions, run in order, and an action:
 *
 *     conditions   require E   E false: no match, next rule
 *                  hotdrop E   E true: drop the packet now, nothing counts (not even the policy)
 *                  doom E      E true: the packet is dropped behind this rule, whether the rest of it holds (then it counts and acts) or not
 *                  stateful S  runs only if everything before it held; may change its state; false: next rule
 *     all held     the rule counts (1 packet, meta.length bytes), then its action runs
 *
 * Everything is frozen plain data (bigint included), so it can cross a process boundary.
 */

import type { Span } from '../diagnostics/source.ts';
import type { Family, Hook, TableName } from '../packet/netfilter.ts';
import type { Effect } from './effect.ts';
import type { FieldName } from './fields.ts';
import type { HashlimitTable } from './hashlimit.ts';
import type { Question } from './question.ts';
import type { RecentQuestion } from './recent.ts';
import type { Scan } from './scan.ts';

/** Inclusive interval of field values. */
export interface Interval {
  readonly min: bigint;
  readonly max: bigint;
}

/** `(field & mask)` lies in one of `ranges`. No mask: all ones. Ranges are sorted, disjoint and not adjacent. */
export interface Test {
  readonly kind: 'test';
  readonly field: FieldName;
  readonly mask?: bigint;
  readonly ranges: readonly Interval[];
}

/**
 * A TCP option of this kind is present (xt_tcp's tcp_find_option). Readability of the header and of the options, and
 * doff < 5, are dealt with by conditions before it; the scan itself is: kinds 0 and 1 step one byte, the last byte
 * steps one, a length of 0 steps one, else step by length. No option bytes: false.
 */
export interface TcpOptionTest {
  readonly kind: 'tcpOption';
  readonly option: number;
}

/** All TCP option bytes can be read: transport.length >= tcp.headerLength. */
export interface TcpOptionsReadable {
  readonly kind: 'tcpOptionsReadable';
}

/**
 * Bytes of the packet as one big-endian number: `(number & mask)` lies in one of `ranges`; mask and ranges as in Test. Where one of the
 * bytes is not there, the number is 0: a condition about the length before it decides.
 */
export interface PayloadTest {
  readonly kind: 'payload';
  /**
   * `network`: counted from the IP header. `transport`: from where `transport.length` begins to count; of a later fragment of IPv6
   * that is the IPv6 header itself (thoff is 0).
   */
  readonly base: 'network' | 'transport';
  /** In bytes. */
  readonly offset: number;
  readonly bits: 8 | 16 | 32;
  readonly mask?: bigint;
  readonly ranges: readonly Interval[];
}

/** The outcome of a walk through the packet (scan.ts). */
export interface ScanTest {
  readonly kind: 'scan';
  readonly scan: Scan;
  readonly outcome: 'yes' | 'evil';
}

export type Expr =
  | { readonly kind: 'constant'; readonly value: boolean }
  | Test
  | PayloadTest
  | ScanTest
  | TcpOptionTest
  | TcpOptionsReadable
  | { readonly kind: 'not'; readonly expr: Expr }
  | { readonly kind: 'all'; readonly exprs: readonly Expr[] }
  | { readonly kind: 'any'; readonly exprs: readonly Expr[] };

/** A test with memory. `state` indexes TablePolicy.states. */
export type StatefulTest =
  /** xt_limit; numbers already in the kernel's credits (see LimitState). */
  | { readonly kind: 'limit'; readonly state: number }
  /** xt_statistic nth. */
  | { readonly kind: 'nth'; readonly state: number }
  /** xt_statistic random: (u32 & 0x7fffffff) < probability; no memory, but as unrepeatable as one that has. */
  | { readonly kind: 'random'; readonly probability: number }
  /** xt_quota. */
  | { readonly kind: 'quota'; readonly state: number }
  /** xt_recent; the packet's source or destination address is looked for. */
  | {
      readonly kind: 'recent';
      readonly state: number;
      readonly side: 'source' | 'destination';
      readonly question: RecentQuestion;
    }
  /**
   * xt_hashlimit: true within the limit; a full table drops the packet. `ports`: the packet's first transport bytes tell its
   * flow; else ports are 0. That they can be read is dealt with by a condition before it.
   */
  | { readonly kind: 'hashlimit'; readonly state: number; readonly ports: boolean }
  /** A question that the kernel answers when, and only when, a packet gets here (staged.ts); `question` indexes TablePolicy.staged. */
  | { readonly kind: 'staged'; readonly question: number };

/** The memory of one stateful test: one per rule, shared by all hooks and CPUs, reset by every apply (as REPLACE does). */
export type StateObject =
  /**
   * Credits as xt_limit keeps them for a kernel of the given HZ. `credit` starts at `cap`, `prev` at the time of the
   * first use. On use: credit = min(cap, credit + elapsedJiffies * perJiffy); match if credit >= cost, then credit -= cost.
   */
  | {
      readonly kind: 'limit';
      /** user2credits of XT_LIMIT_SCALE units per 1/10,000 s, as `avg` in struct xt_rateinfo; cost and cap depend on HZ. */
      readonly avg: number;
      readonly burst: number;
    }
  /** Counter starts at `packet`; each use: counter = counter == every ? 0 : counter + 1; match when it became 0. */
  | { readonly kind: 'nth'; readonly every: number; readonly packet: number }
  /** Bytes left: a packet that they suffice for matches and takes its own; the first one that they do not takes all. */
  | { readonly kind: 'quota'; readonly bytes: bigint }
  /** A list of `recent` and what the rule would make it with (named.ts); `mask`: 128 bits, the upper 32 for IPv4 addresses. */
  | { readonly kind: 'recent'; readonly list: string; readonly mask: bigint; readonly hits: number }
  /** A table of `hashlimit` and what the rule would make it with (named.ts). */
  | { readonly kind: 'hashlimit'; readonly name: string; readonly table: HashlimitTable };

export type Condition =
  | { readonly kind: 'require'; readonly expr: Expr }
  | { readonly kind: 'hotdrop'; readonly expr: Expr }
  | { readonly kind: 'doom'; readonly expr: Expr }
  | { readonly kind: 'stateful'; readonly test: StatefulTest; readonly invert: boolean };

/** Names follow iptables' own --reject-with words. */
export const REJECT_WITH = {
  ipv4: [
    'icmp-net-unreachable',
    'icmp-host-unreachable',
    'icmp-port-unreachable',
    'icmp-proto-unreachable',
    'icmp-net-prohibited',
    'icmp-host-prohibited',
    'icmp-admin-prohibited',
    'tcp-reset',
  ],
  ipv6: [
    'icmp6-no-route',
    'icmp6-adm-prohibited',
    'icmp6-addr-unreachable',
    'icmp6-port-unreachable',
    'icmp6-policy-fail',
    'icmp6-reject-route',
    'tcp-reset',
  ],
} as const satisfies Record<Family, readonly string[]>;
export type RejectWith = (typeof REJECT_WITH)[Family][number];

export interface LogSpec {
  readonly kind: 'LOG' | 'NFLOG';
  readonly prefix: string;
  /** LOG: syslog level 0..7. */
  readonly level: number;
  /** LOG: XT_LOG_* bits (TCPSEQ 1, TCPOPT 2, IPOPT 4, UID 8, MACDECODE 0x20). */
  readonly flags: number;
  /** NFLOG: group, copy size (0: nothing asked for), threshold. */
  readonly group: number;
  readonly size: number;
  readonly threshold: number;
}

export type Action =
  | { readonly kind: 'accept' }
  | { readonly kind: 'drop' }
  | { readonly kind: 'return' }
  /** `chain` indexes TablePolicy.chains. */
  | { readonly kind: 'jump'; readonly chain: number }
  | { readonly kind: 'goto'; readonly chain: number }
  /** No target: count and go on. */
  | { readonly kind: 'continue' }
  /** `log` indexes TablePolicy.logs; goes on. */
  | { readonly kind: 'log'; readonly log: number }
  /** `effect` indexes TablePolicy.effects; goes on, unless the effect is terminal: then the kernel's target decides. */
  | { readonly kind: 'effect'; readonly effect: number }
  /** Drop, and the kernel sends the answer. */
  | { readonly kind: 'reject'; readonly with: RejectWith };

export interface PolicyRule {
  readonly conditions: readonly Condition[];
  readonly action: Action;
  /** Index of this rule's counter in the table: 0.. over all chains in order, policies included (see PolicyChain.policy). */
  readonly counter: number;
  readonly provenance: Provenance;
}

export interface Provenance {
  readonly chain: string;
  /** 1-based rule number in its chain. */
  readonly rule: number;
  readonly span?: Span;
}

export interface PolicyChain {
  readonly name: string;
  /** Built-in chains only: the hook it hangs on, what happens at its end, and the counter of that. */
  readonly base?: { readonly hook: Hook; readonly policy: 'accept' | 'drop'; readonly counter: number };
  readonly rules: readonly PolicyRule[];
}

/** One table of one family. The graph of jumps and gotos is free of cycles (lowering refuses them). */
export interface TablePolicy {
  readonly family: Family;
  readonly table: TableName;
  readonly chains: readonly PolicyChain[];
  readonly states: readonly StateObject[];
  readonly logs: readonly LogSpec[];
  /** What the kernel's own targets do for the table's rules. */
  readonly effects?: readonly Effect[];
  /** What the kernel is asked about each packet before the table sees it; answer n is a bit of the fields `asked.*`. */
  readonly questions?: readonly Question[];
  /** What the kernel is asked where rules get to it, one for each such match. */
  readonly staged?: readonly Question[];
  /** How many counters the table has. */
  readonly counters: number;
  /**
   * The kernel tracks connections of this family on behalf of the table. One rule that asks for it is enough, even in a
   * chain that no packet reaches: tracking also puts fragments together, which every hook sees.
   */
  readonly conntrack: boolean;
}
