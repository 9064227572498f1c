/** What every contender has to do: the same rules, all DROP, and the same headers. */

import { enlargeSet, type Filter, type FilterSet, readFilterSet, sourceSet } from '../classify-sets.ts';
import { TRACE_ENTRIES } from '../trace.ts';

export type ShapeName = 'source' | 'five-tuple' | 'prefix+range' | 'acl1' | 'fw1' | 'ipc1';

export interface Workload {
  readonly shape: ShapeName;
  readonly filters: readonly Filter[];
  /** Five u32 for each header: addresses, ports, protocol. TRACE_ENTRIES headers. */
  readonly trace: Uint32Array;
}

/** A workload of a shape with `count` rules. ClassBench shapes need the files of that name. */
export function workload(shape: ShapeName, count: number): Workload {
  const set = setOf(shape, count);
  return { shape, filters: set.filters, trace: repeated(set.trace) };
}

function setOf(shape: ShapeName, count: number): FilterSet {
  switch (shape) {
    case 'source':
      return sourceSet(count);
    case 'five-tuple':
      return syntheticSet(count, exactFilter);
    case 'prefix+range':
      return syntheticSet(count, rangeFilter);
    case 'acl1':
    case 'fw1':
    case 'ipc1':
      return classbench(shape, count);
  }
}

function classbench(name: string, count: number): FilterSet {
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

type Next = (limit: number) => number;

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

/** Rules as `make` makes them; nine of ten headers are inside a rule chosen evenly, one is near it but outside. */
function syntheticSet(count: number, make: (next: Next) => Filter): FilterSet {
  const next = numbers(count * 2654435761);
  const filters = Array.from({ length: count }, () => make(next));
  const trace = new Uint32Array(TRACE_ENTRIES * 5);
  const inside = (address: number, length: number): number =>
    length === 32 ? address : (address | next(2 ** (32 - length))) >>> 0;
  for (let i = 0; i < TRACE_ENTRIES; i++) {
    const { src, srcLength, dst, dstLength, sport, dport, protocol = 6 } = filters[next(count)]!;
    const port = ([low, high]: readonly [number, number]): number => low + next(high - low + 1);
    const header = [inside(src, srcLength), inside(dst, dstLength), port(sport), port(dport), protocol];
    if (next(10) === 0) header[next(2)] = (0x0c000000 | next(1 << 24)) >>> 0;
    trace.set(header, i * 5);
  }
  return { name: 'synthetic', filters, trace };
}
