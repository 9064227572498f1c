/** What every contender has to do: the same rules, in the end all DROP, and the same headers. */

import type { Family } from '../../src/packet/netfilter.ts';
import { enlargeSet, type Filter, type FilterSet, readFilterSet, sourceSet } from '../classify-sets.ts';
import { TRACE_ENTRIES } from '../trace.ts';
import { iptablesText } from './texts.ts';
import { dockerTree, kubeTree } from './trees.ts';

const CLASSBENCH = ['acl1', 'fw1', 'ipc1'] as const;
type ClassbenchName = (typeof CLASSBENCH)[number];

/** `first` and `miss`: all headers meet the first rule, or none. `-v6`: the same rules and headers in IPv6. */
export const SHAPES = [
  'source',
  'five-tuple',
  'five-tuple first',
  'five-tuple miss',
  'prefix+range',
  ...CLASSBENCH,
  'acl1-v6',
  'docker',
  'kube-proxy',
] as const;
export type ShapeName = (typeof SHAPES)[number];

export interface Workload {
  readonly shape: ShapeName;
  readonly family: Family;
  /** How many rules there are, chains of a tree included. */
  readonly rules: number;
  /** iptables-restore text of table raw. */
  readonly iptables: string;
  /** One list of rules that all drop; undefined where the rules are a tree of chains. */
  readonly filters: readonly Filter[] | undefined;
  /** Five u32 for each header: addresses, ports, protocol. TRACE_ENTRIES headers. */
  readonly trace: Uint32Array;
}

/** A workload of a shape with about `count` rules. ClassBench shapes need the files of that name. */
export function workload(shape: ShapeName, count: number): Workload {
  if (shape === 'docker' || shape === 'kube-proxy') {
    const tree = (shape === 'docker' ? dockerTree : kubeTree)(count, numbers(count));
    return { shape, family: 'ipv4', filters: undefined, ...tree };
  }
  const { filters, trace } = setOf(shape, count);
  const family = shape === 'acl1-v6' ? 'ipv6' : 'ipv4';
  const iptables = iptablesText(filters, family);
  return { shape, family, rules: filters.length, iptables, filters, trace: repeated(trace) };
}

function setOf(shape: Exclude<ShapeName, 'docker' | 'kube-proxy'>, count: number): FilterSet {
  switch (shape) {
    case 'source':
      return sourceSet(count);
    case 'five-tuple':
      return syntheticSet(count, exactFilter, (next) => next(count));
    case 'five-tuple first':
      return syntheticSet(count, exactFilter, () => 0);
    case 'five-tuple miss':
      return syntheticSet(count, exactFilter, () => undefined);
    case 'prefix+range':
      return syntheticSet(count, rangeFilter, (next) => next(count));
    case 'acl1':
    case 'fw1':
    case 'ipc1':
      return classbench(shape, count);
    case 'acl1-v6':
      return withoutExtensionHeaders(classbench('acl1', count));
  }
}

/** Protocols that are extension headers in IPv6: behind them these headers hold nothing, and iptables and nft treat that differently. */
const EXTENSION_HEADERS: ReadonlySet<number> = new Set([0, 43, 44, 51, 60, 135, 139, 140]);

function withoutExtensionHeaders(set: FilterSet): FilterSet {
  const trace = set.trace.map((value, at) => (at % 5 === 4 && EXTENSION_HEADERS.has(value) ? 6 : value));
  return { ...set, trace };
}

function classbench(name: ClassbenchName, count: number): FilterSet {
  if (count > 10_000) return enlargeSet(readFilterSet(`${name}_10k`), count);
  const set = readFilterSet(count > 1000 ? `${name}_10k` : `${name}_1k`);
  const wanted = Math.min(count, set.filters.length);
  const step = set.filters.length / wanted;
  return { ...set, filters: Array.from({ length: wanted }, (_, i) => set.filters[Math.floor(i * step)]!) };
}

/** The headers over and over until there are TRACE_ENTRIES, in an order without runs. */
function repeated(trace: Uint32Array): Uint32Array {
  const count = trace.length / 5;
  const out = new Uint32Array(TRACE_ENTRIES * 5);
  for (let i = 0; i < TRACE_ENTRIES; i++) {
    // 40503 is odd and far from any stride of the traces; i / count shifts each round.
    const at = (Math.imul(i, 40503) + Math.floor(i / count)) >>> 0;
    out.set(trace.subarray((at % count) * 5, (at % count) * 5 + 5), i * 5);
  }
  return out;
}

/** Numbers in [0, limit) without a pattern, the same in every run. */
function numbers(seed: number): (limit: number) => number {
  let state = seed >>> 0 || 1;
  return (limit) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % limit;
  };
}

export type Next = (limit: number) => number;

function exactFilter(next: Next): Filter {
  const port = (): readonly [number, number] => {
    const value = 1 + next(65535);
    return [value, value];
  };
  return {
    src: (0x0a000000 | next(1 << 24)) >>> 0,
    srcLength: 32,
    dst: (0x0b000000 | next(1 << 24)) >>> 0,
    dstLength: 32,
    sport: port(),
    dport: port(),
    protocol: next(2) === 0 ? 6 : 17,
  };
}

function rangeFilter(next: Next): Filter {
  const length = 16 + next(17);
  const other = 8 + next(17);
  const low = next(60_000);
  const masked = (address: number, bits: number): number => (address & (0xffffffff << (32 - bits))) >>> 0;
  return {
    src: masked(0x0a000000 | next(1 << 24), length),
    srcLength: length,
    dst: masked(0x0b000000 | next(1 << 24), other),
    dstLength: other,
    sport: [0, 65535],
    dport: [low, low + next(2000)],
    protocol: next(2) === 0 ? 6 : 17,
  };
}

/**
 * Rules as `make` makes them. A header is inside the rule that `pick` names, in one case of ten with one address
 * outside of all; `pick` undefined: always outside.
 */
function syntheticSet(
  count: number,
  make: (next: Next) => Filter,
  pick: (next: Next) => number | undefined,
): FilterSet {
  const next = numbers(count * 2654435761);
  const filters = Array.from({ length: count }, () => make(next));
  const trace = new Uint32Array(TRACE_ENTRIES * 5);
  const inside = (address: number, length: number): number =>
    length === 32 ? address : (address | next(2 ** (32 - length))) >>> 0;
  for (let i = 0; i < TRACE_ENTRIES; i++) {
    const picked = pick(next);
    const { src, srcLength, dst, dstLength, sport, dport, protocol = 6 } = filters[picked ?? next(count)]!;
    const port = ([low, high]: readonly [number, number]): number => low + next(high - low + 1);
    const header = [inside(src, srcLength), inside(dst, dstLength), port(sport), port(dport), protocol];
    const outside = picked === undefined || (picked !== 0 && next(10) === 0);
    if (outside) header[next(2)] = (0x0c000000 | next(1 << 24)) >>> 0;
    trace.set(header, i * 5);
  }
  return { name: 'synthetic', filters, trace };
}
