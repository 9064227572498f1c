/** What the matches of IPv6 extension headers share: finding the header, tests of its bytes. */

import { complementRanges, conditions, hotdrop, payload, require } from '../policy/expr.ts';
import type { Condition, Interval } from '../policy/ir.ts';
import type { ExtensionHeaderScan, HeaderTest, NumberRange, Scan } from '../policy/scan.ts';
import type { Given } from './options.ts';

/** Numbers of the headers that ipv6_find_hdr steps over. */
const STEPPED_OVER = [0, 43, 44, 51, 60] as const;

/** Packets without any extension header need not be walked through: the fixed header says so. */
const HAS_EXTENSION = payload(
  { base: 'network', offset: 6, bits: 8 },
  STEPPED_OVER.map((number) => ({ min: BigInt(number), max: BigInt(number) })),
);

/** The conditions of a match that looks for an extension header. */
export function extensionHeader(scan: Omit<ExtensionHeaderScan, 'kind'>): readonly Condition[] {
  const walk: Scan = Object.freeze({ kind: 'extensionHeader', ...scan });
  return conditions(
    require(HAS_EXTENSION),
    ...(scan.unreadable === 'evil' ? [hotdrop(Object.freeze({ kind: 'scan', scan: walk, outcome: 'evil' }))] : []),
    require(Object.freeze({ kind: 'scan', scan: walk, outcome: 'yes' })),
  );
}

type Place = Pick<HeaderTest, 'offset' | 'size' | 'mask'>;

/** A test of a number of the header; an option that was not given asks nothing. */
export function inHeader(place: Place, range: Given<'range'> | undefined): readonly HeaderTest[] {
  return range === undefined ? [] : [headerTest(place, [range], range.invert)];
}

/** Bytes of the header have this value. */
export function headerIs(place: Place, value: number, invert = false): HeaderTest {
  return headerTest(place, [{ min: BigInt(value), max: BigInt(value) }], invert);
}

/**
 * The length of the header in bytes, which a byte at 1 counts in units, is the number given; `least` is the length when that byte
 * is 0.
 */
export function headerLength(unit: 4 | 8, least: number, length: Given<'integer'> | undefined): readonly HeaderTest[] {
  if (length === undefined) return [];
  const units = (Number(length.value) - least) / unit;
  const ranges = Number.isInteger(units) ? [{ min: BigInt(units), max: BigInt(units) }] : [];
  return [headerTest({ offset: 1, size: 1 }, ranges, length.invert)];
}

/** Bytes of the header lie in one of the ranges, or in none. */
export function headerTest(place: Place, ranges: readonly Interval[], invert: boolean): HeaderTest {
  const max = BigInt(place.mask ?? 2 ** (8 * place.size) - 1);
  const inside = complementRanges(clip(ranges, max), max);
  return { ...place, ranges: (invert ? inside : complementRanges(inside, max)).map(toNumbers) };
}

/** An IPv6 address as 32 hexadecimal digits. */
export function hexAddress(address: bigint): string {
  return address.toString(16).padStart(32, '0');
}

function clip(ranges: readonly Interval[], max: bigint): readonly Interval[] {
  return ranges.flatMap((range) =>
    range.min > range.max || range.min > max || range.max < 0n
      ? []
      : [{ min: range.min, max: range.max < max ? range.max : max }],
  );
}

function toNumbers({ min, max }: Interval): NumberRange {
  return { min: Number(min), max: Number(max) };
}
