/**
 * The rule model: what an administrator wrote, as plain frozen data, independent of the language it was written in
 * and of how it will be run.
 *
 *     Ruleset (one family) > Table > Chain > Rule > Match[] + Target
 */

import type { Span } from '../diagnostics/source.ts';
import type { Family, TableName } from '../packet/netfilter.ts';

/** Packets and bytes, unsigned 64 bit. */
export interface Counters {
  readonly packets: bigint;
  readonly bytes: bigint;
}

export interface Ruleset {
  readonly family: Family;
  /** In the order in which the file declares them. */
  readonly tables: readonly Table[];
}

export interface Table {
  readonly name: TableName;
  /** Built-in chains first, in hook order and complete, then user chains in iptables' order (sorted by name, C locale). */
  readonly chains: readonly Chain[];
  readonly span?: Span;
}

export interface Chain {
  readonly name: string;
  /** Present exactly for built-in chains. */
  readonly policy?: 'ACCEPT' | 'DROP';
  /** The policy's counters; zero for user chains. */
  readonly counters: Counters;
  readonly rules: readonly Rule[];
  readonly span?: Span;
}

export interface Rule {
  readonly ip: IpPart;
  /** In the order in which they were given: it is the order in which the kernel runs them. */
  readonly matches: readonly MatchUse[];
  readonly target: Target;
  readonly counters: Counters;
  readonly span?: Span;
}

/** A value that `!` may negate. */
export interface Selector<T> {
  readonly value: T;
  readonly invert: boolean;
  readonly span?: Span;
}

/** Address and mask as unsigned integers in host order, 32 bit for IPv4, 128 bit for IPv6; any mask is legal. */
export interface MaskedAddress {
  readonly address: bigint;
  readonly mask: bigint;
}

/** The part of a rule that every packet can be asked about (`struct ipt_ip`, `struct ip6t_ip6`). An absent member asks nothing. */
export interface IpPart {
  readonly source?: Selector<MaskedAddress>;
  readonly destination?: Selector<MaskedAddress>;
  /** Interface name as written; a trailing `+` matches every name that begins so. */
  readonly inInterface?: Selector<string>;
  readonly outInterface?: Selector<string>;
  /** Protocol number 0..255; 0 is "all". For IPv6 its presence is the flag IP6T_F_PROTO: the header chain is walked. */
  readonly protocol?: Selector<number>;
  /** `-f`, IPv4 only. */
  readonly fragment?: { readonly invert: boolean; readonly span?: Span };
}

/** A value that an option can carry after parsing. Plain data, comparable with `===` member by member. */
export type OptionValue =
  | { readonly kind: 'flag' }
  | { readonly kind: 'integer'; readonly value: bigint }
  | { readonly kind: 'range'; readonly min: bigint; readonly max: bigint }
  | { readonly kind: 'masked'; readonly value: bigint; readonly mask: bigint }
  | { readonly kind: 'ranges'; readonly ranges: readonly { readonly min: bigint; readonly max: bigint }[] }
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'bytes'; readonly bytes: readonly number[] }
  | { readonly kind: 'set'; readonly members: readonly string[] };

export interface OptionUse {
  readonly value: OptionValue;
  readonly invert: boolean;
  readonly span?: Span;
}

/** One `-m NAME` with its options by canonical option name (without dashes), aliases resolved, defaults filled in. */
export interface MatchUse {
  readonly name: string;
  readonly options: Readonly<Record<string, OptionUse>>;
  readonly span?: Span;
}

export type Target =
  /** No `-j`: the rule only counts. */
  | { readonly kind: 'none' }
  | { readonly kind: 'verdict'; readonly verdict: 'ACCEPT' | 'DROP' | 'RETURN' | 'QUEUE'; readonly span?: Span }
  | { readonly kind: 'jump'; readonly chain: string; readonly span?: Span }
  | { readonly kind: 'goto'; readonly chain: string; readonly span?: Span }
  | {
      readonly kind: 'extension';
      readonly name: string;
      readonly options: Readonly<Record<string, OptionUse>>;
      readonly span?: Span;
    };

export const ZERO_COUNTERS: Counters = Object.freeze({ packets: 0n, bytes: 0n });
