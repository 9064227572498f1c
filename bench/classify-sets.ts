/**
 * ClassBench rule sets and traces, and larger sets made from them.
 *
 * A set of 10k rules becomes one of n * 10k: copy c of a rule has its addresses XORed with a constant of c, under the
 * rule's own prefix masks, so prefixes nest within a copy as they did, and copies lie apart. Rules that have become equal to an earlier
 * one (both addresses wide) are left out. The copies of a rule stand together, so the order between different rules
 * is that of the original. Headers are moved the same way. The TCP flags of the sets are not used.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Rows, rowsBuilder } from '../src/classify/rows.ts';
import { between, conditions, equals, hotdrop, masked, require } from '../src/policy/expr.ts';
import type { PolicyRule } from '../src/policy/ir.ts';

/** Beside the repository, from whose root benches and tests are run. */
export const CLASSBENCH = join(process.cwd(), '../shared/classbench');

/** Order of the dimensions: source, destination, source port, destination port, protocol. */
export const FIVE_TUPLE_MAX = [0xffffffff, 0xffffffff, 0xffff, 0xffff, 0xff] as const;

export interface Filter {
  readonly src: number;
  readonly srcLength: number;
  readonly dst: number;
  readonly dstLength: number;
  readonly sport: readonly [number, number];
  readonly dport: readonly [number, number];
  /** undefined: any. */
  readonly protocol: number | undefined;
}

export interface FilterSet {
  readonly name: string;
  readonly filters: readonly Filter[];
  /** Five u32 for each header. */
  readonly trace: Uint32Array;
}

/** Reads a set and its trace by name (`acl1_1k`). @throws when the files are missing. */
export function readFilterSet(name: string, folder = CLASSBENCH): FilterSet {
  const filters = readFileSync(join(folder, name), 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('@'))
    .map(parseFilter);
  const headers = readFileSync(join(folder, `${name}_trace`), 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => line.split('\t').slice(0, 5).map(Number));
  return { name, filters, trace: Uint32Array.from(headers.flat()) };
}

const FILTER =
  /^@(\d+)\.(\d+)\.(\d+)\.(\d+)\/(\d+)\s+(\d+)\.(\d+)\.(\d+)\.(\d+)\/(\d+)\s+(\d+) : (\d+)\s+(\d+) : (\d+)\s+0x([0-9a-fA-F]+)\/0x([0-9a-fA-F]+)/;

function parseFilter(line: string): Filter {
  const match = FILTER.exec(line);
  if (match === null) throw new Error(`not a ClassBench rule: ${line}`);
  const n = match.slice(1, 15).map(Number);
  const srcLength = n[4]!;
  const dstLength = n[9]!;
  return {
    src: (((n[0]! << 24) | (n[1]! << 16) | (n[2]! << 8) | n[3]!) & maskOf(srcLength)) >>> 0,
    srcLength,
    dst: (((n[5]! << 24) | (n[6]! << 16) | (n[7]! << 8) | n[8]!) & maskOf(dstLength)) >>> 0,
    dstLength,
    sport: [n[10]!, n[11]!],
    dport: [n[12]!, n[13]!],
    protocol: Number.parseInt(match[16]!, 16) === 0 ? undefined : Number.parseInt(match[15]!, 16),
  };
}

/** The mask of a prefix length, as u32. */
export function maskOf(length: number): number {
  return length === 0 ? 0 : (0xffffffff << (32 - length)) >>> 0;
}

/** `rules` rules from copies of a set, or fewer when it has no more different ones (64 copies at most). */
export function enlargeSet(set: FilterSet, rules: number): FilterSet {
  for (let copies = Math.ceil(rules / set.filters.length); ; copies++) {
    const enlarged = copySet(set, copies);
    const { length } = enlarged.filters;
    if (length < rules && copies < 64) continue;
    // What is too much is taken out evenly.
    const filters = enlarged.filters.filter(
      (_, i) => Math.floor((i * rules) / length) !== Math.floor(((i - 1) * rules) / length),
    );
    return { ...enlarged, filters: length <= rules ? enlarged.filters : filters };
  }
}

function copySet(set: FilterSet, copies: number): FilterSet {
  const seen = new Set<string>();
  const filters: Filter[] = [];
  for (const filter of set.filters) {
    for (let copy = 0; copy < copies; copy++) {
      const src = ((filter.src ^ shiftOf(copy)) & maskOf(filter.srcLength)) >>> 0;
      const dst = ((filter.dst ^ shiftOf(copy)) & maskOf(filter.dstLength)) >>> 0;
      const moved = { ...filter, src, dst };
      const key = Object.values(moved).join();
      if (seen.has(key)) continue;
      seen.add(key);
      filters.push(moved);
    }
  }
  const trace = new Uint32Array(set.trace.length * copies);
  for (let copy = 0; copy < copies; copy++) {
    trace.set(set.trace, copy * set.trace.length);
    for (let i = copy * set.trace.length; i < (copy + 1) * set.trace.length; i += 5) {
      trace[i] = trace[i]! ^ shiftOf(copy);
      trace[i + 1] = trace[i + 1]! ^ shiftOf(copy);
    }
  }
  return { name: `${set.name}_x${copies}`, filters, trace };
}

/** Copy 0 stays; the others differ in the upper two bytes. */
function shiftOf(copy: number): number {
  return Math.imul(copy, 0x9e3779b1) & 0xffff0000;
}

/** The rules of a set as rows of five dimensions, one for each rule. */
export function filterRows(set: FilterSet): Rows {
  const builder = rowsBuilder(FIVE_TUPLE_MAX, set.filters.length);
  set.filters.forEach((filter, index) => {
    builder.add(index, true);
    builder.narrow(0, filter.src, (filter.src | ~maskOf(filter.srcLength)) >>> 0);
    builder.narrow(1, filter.dst, (filter.dst | ~maskOf(filter.dstLength)) >>> 0);
    builder.narrow(2, ...filter.sport);
    builder.narrow(3, ...filter.dport);
    if (filter.protocol !== undefined) builder.narrow(4, filter.protocol, filter.protocol);
  });
  return builder.finish();
}

/** Single source addresses without any order, `-s ADDRESS -j DROP`; the trace hits them all, and some others. */
export function sourceSet(count: number): FilterSet {
  const address = (i: number): number => (Math.imul(i + 1, 0x9e3779b1) ^ 0x5bd1e995) >>> 0;
  const any = { dst: 0, dstLength: 0, sport: [0, 0xffff], dport: [0, 0xffff], protocol: undefined } as const;
  const filters = Array.from({ length: count }, (_, i): Filter => ({ src: address(i), srcLength: 32, ...any }));
  const headers = 1 << 16;
  const trace = new Uint32Array(headers * 5);
  for (let i = 0; i < headers; i++) {
    const which = Math.floor((((i * 40503) % headers) / headers) * count * 1.1);
    trace.set([address(which), address(i), 1024 + (i & 0x3fff), 80, 6], i * 5);
  }
  return { name: `source_${count}`, filters, trace };
}

/**
 * The same rules in IPv6: 2001:db8::/32 before an address's upper half and a host number in the last word, so that /16 becomes
 * /48, /24 becomes /56 and longer prefixes name networks and hosts. Dimensions: the four words of both addresses that differ (1..3
 * of each), ports, protocol.
 */
export function filterRows6(set: FilterSet): { readonly rows: Rows; readonly trace: Uint32Array } {
  const word = 0xffffffff;
  const builder = rowsBuilder([word, word, word, word, word, word, 0xffff, 0xffff, 0xff], set.filters.length);
  const narrowAddress = (first: number, address: number, length: number): void => {
    const [high, low] = [(address >>> 16) << 16, (address << 16) >>> 0];
    const mask = maskOf(length);
    if (length > 0) builder.narrow(first, high >>> 0, (high | ~(mask & 0xffff0000)) >>> 0);
    if (length > 16) builder.narrow(first + 1, low, (low | ~((mask << 16) >>> 0)) >>> 0);
    if (length === 32) builder.narrow(first + 2, address & 0xff, address & 0xff);
  };
  set.filters.forEach((filter, index) => {
    builder.add(index, true);
    narrowAddress(0, filter.src, filter.srcLength);
    narrowAddress(3, filter.dst, filter.dstLength);
    builder.narrow(6, ...filter.sport);
    builder.narrow(7, ...filter.dport);
    if (filter.protocol !== undefined) builder.narrow(8, filter.protocol, filter.protocol);
  });
  const headers = set.trace.length / 5;
  const trace = new Uint32Array(headers * 9);
  for (let i = 0; i < headers; i++) {
    const [src = 0, dst = 0, sport = 0, dport = 0, protocol = 0] = set.trace.subarray(i * 5, i * 5 + 5);
    const words = [src, dst].flatMap((address) => [
      ((address >>> 16) << 16) >>> 0,
      (address << 16) >>> 0,
      address & 0xff,
    ]);
    trace.set([...words, sport, dport, protocol], i * 9);
  }
  return { rows: builder.finish(), trace };
}

const HEADER_BYTES: Readonly<Record<number, number>> = { 6: 20, 17: 8 };

/** The rules of a set as lowering makes them of `-s -d -p -m --sport --dport -j DROP`, guards included. */
export function filterRules(set: FilterSet): readonly PolicyRule[] {
  return set.filters.map((filter, index) => {
    const { protocol } = filter;
    const bytes = protocol === undefined ? undefined : HEADER_BYTES[protocol];
    const header =
      bytes === undefined
        ? []
        : [
            require(equals('ip.fragOffset', 0)),
            hotdrop(between('transport.length', 0, bytes - 1)),
            require(between('transport.sport', ...filter.sport)),
            require(between('transport.dport', ...filter.dport)),
          ];
    return {
      conditions: conditions(
        require(masked('ip.saddr', filter.src, maskOf(filter.srcLength))),
        require(masked('ip.daddr', filter.dst, maskOf(filter.dstLength))),
        ...(protocol === undefined ? [] : [require(equals('ip.protocol', protocol))]),
        ...header,
      ),
      action: { kind: 'drop' },
      counter: index,
      provenance: { chain: 'INPUT', rule: index + 1 },
    };
  });
}
