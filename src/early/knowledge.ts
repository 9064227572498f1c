/**
 * What an early program knows of the packets that come to it. All of them are whole, unfragmented packets with a well-formed IP
 * header without options or extension headers: everything else has gone up the stack before any rule is looked at.
 */

import type { Family, Hook } from '../packet/netfilter.ts';
import { all, any, FALSE, fieldMax, not, TRUE } from '../policy/expr.ts';
import type { FieldName } from '../policy/fields.ts';
import type { Expr, Interval, Test } from '../policy/ir.ts';

/** The two kinds of packets: with at least 20 bytes behind the IP header, or with fewer. */
export const EARLY_PACKETS = ['ordinary', 'short'] as const;
export type EarlyPackets = (typeof EARLY_PACKETS)[number];

/** Bytes of the transport header that make a packet ordinary. */
export const ORDINARY_BYTES = 20;

/** Where rules are met, as far as that changes what is known. */
export interface Place {
  readonly hook: Hook;
  /** The packet has just got a conntrack entry of its own that nothing else knows yet: the gates let no other through. */
  readonly tracked: boolean;
}

const AT_FIRST: Place = Object.freeze({ hook: 'PREROUTING', tracked: false });

export interface Knowledge {
  /** Fields that the program reads from the frame or its device. */
  readonly fields: ReadonlySet<FieldName>;
  /** Fields that are the same in all packets, or at least bounded. */
  readonly bounds: ReadonlyMap<FieldName, Interval>;
  /** How much smaller the rules see the time to live (hop limit) than it is in the frame. */
  readonly hops: bigint;
}

const TRANSPORT = ['transport.length', 'transport.sport', 'transport.dport', 'icmp.type', 'icmp.code'] as const;
/** They lie in the first 20 bytes, so a short packet has not got them. */
const TCP = ['tcp.flags', 'tcp.headerLength'] as const;
const NETWORK = {
  ipv4: ['ip.saddr', 'ip.daddr', 'ip.protocol', 'ip.ttl', 'ip.tos'],
  ipv6: ['ip6.saddr', 'ip6.daddr', 'ip6.hopLimit', 'ip6.protocol'],
} as const satisfies Record<Family, readonly FieldName[]>;

const exactly = (value: bigint): Interval => Object.freeze({ min: value, max: value });

/** enum ip_conntrack_info */
const IP_CT_NEW = 2n;

/** What is known of one kind of packets of a family. */
export function knowledgeOf(family: Family, packets: EarlyPackets, place: Place = AT_FIRST): Knowledge {
  const fields = new Set<FieldName>(['meta.iifname', ...NETWORK[family], ...TRANSPORT]);
  if (packets === 'ordinary') for (const field of TCP) fields.add(field);
  const length =
    packets === 'ordinary'
      ? { min: BigInt(ORDINARY_BYTES), max: fieldMax('transport.length') }
      : { min: 0n, max: BigInt(ORDINARY_BYTES - 1) };
  const bounds = new Map<FieldName, Interval>([
    ['transport.length', length],
    ['meta.pkttype', exactly(0n)],
  ]);
  // There is an output device only where packets are forwarded; `-o` can ask for it elsewhere, too, in chains of one's own.
  if (place.hook === 'FORWARD') fields.add('meta.oifname');
  else bounds.set('meta.oifname', exactly(0n));
  if (place.tracked) {
    bounds.set('ct.present', exactly(1n)).set('ct.info', exactly(IP_CT_NEW));
    bounds.set('ct.status', exactly(0n)).set('ct.mark', exactly(0n));
  }
  if (family === 'ipv4') bounds.set('ip.fragOffset', exactly(0n));
  else bounds.set('ip6.chain', exactly(0n)).set('ip6.fragOffset', exactly(0n));
  return { fields, bounds, hops: place.hook === 'FORWARD' ? 1n : 0n };
}

/** When an expression is certainly true and when it is certainly false, in expressions that the program can compute. */
export interface Certainty {
  readonly yes: Expr;
  readonly no: Expr;
  /** One of both holds for every packet. */
  readonly exact: boolean;
}

const UNKNOWN: Certainty = Object.freeze({ yes: FALSE, no: FALSE, exact: false });

/** Three-valued evaluation, with packets left open. */
export function certainty(expr: Expr, knowledge: Knowledge): Certainty {
  switch (expr.kind) {
    case 'constant':
      return known(expr);
    case 'test':
      return certaintyOfTest(expr, knowledge);
    case 'not': {
      const { yes, no, exact } = certainty(expr.expr, knowledge);
      return { yes: no, no: yes, exact };
    }
    case 'all': {
      const parts = expr.exprs.map((item) => certainty(item, knowledge));
      return joined(all(...parts.map(({ yes }) => yes)), any(...parts.map(({ no }) => no)), parts);
    }
    case 'any': {
      const parts = expr.exprs.map((item) => certainty(item, knowledge));
      return joined(any(...parts.map(({ yes }) => yes)), all(...parts.map(({ no }) => no)), parts);
    }
    case 'payload':
    case 'scan':
    case 'tcpOption':
    case 'tcpOptionsReadable':
      return UNKNOWN;
  }
}

function known(expr: Expr): Certainty {
  return { yes: expr, no: not(expr), exact: true };
}

/** A part that is unknown does not matter where the others have decided for every packet. */
function joined(yes: Expr, no: Expr, parts: readonly Certainty[]): Certainty {
  if (isConstant(yes, true)) return known(TRUE);
  if (isConstant(no, true)) return known(FALSE);
  return { yes, no, exact: parts.every(({ exact }) => exact) };
}

function certaintyOfTest(test: Test, { fields, bounds, hops }: Knowledge): Certainty {
  const interval = bounds.get(test.field);
  const decided = interval === undefined ? undefined : boundTest(test, interval);
  if (decided !== undefined) return decided;
  if (!fields.has(test.field)) return UNKNOWN;
  return hops !== 0n && (test.field === 'ip.ttl' || test.field === 'ip6.hopLimit')
    ? testOfHops(test, hops)
    : known(test);
}

/** The test of a number that the stack makes smaller by `less` before rules see it; the frame has more than `less`. */
function testOfHops(test: Test, less: bigint): Certainty {
  if (test.mask !== undefined) return UNKNOWN;
  const most = fieldMax(test.field);
  const ranges = test.ranges
    .map(({ min, max }) => ({ min: min + less, max: max > most - less ? most : max + less }))
    .filter(({ min }) => min <= most);
  return known(ranges.length === 0 ? FALSE : { ...test, ranges });
}

/** Undefined: values within the bounds differ. */
function boundTest(test: Test, { min, max }: Interval): Certainty | undefined {
  if (min === max) {
    const value = test.mask === undefined ? min : min & test.mask;
    return known(test.ranges.some((range) => range.min <= value && range.max >= value) ? TRUE : FALSE);
  }
  if (test.mask !== undefined) return undefined;
  if (test.ranges.some((range) => range.min <= min && range.max >= max)) return known(TRUE);
  return test.ranges.some((range) => range.min <= max && range.max >= min) ? undefined : known(FALSE);
}

export function isConstant(expr: Expr, value: boolean): boolean {
  return expr.kind === 'constant' && expr.value === value;
}
