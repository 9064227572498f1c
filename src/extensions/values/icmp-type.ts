import type { ValueResult, ValueType } from '../contract.ts';
import { bad, good, scanUnsigned, wrongKind } from './numbers.ts';

/** A name of a type, or of one code of a type; the name `any` has type 255 and all codes. */
export interface IcmpName {
  readonly name: string;
  readonly type: number;
  readonly codes?: { readonly min: number; readonly max: number };
}

/**
 * `--icmp-type`: a name (any unambiguous beginning of one, case ignored), a type, or `type/code`. Kept as the two
 * ranges [type, codes]. Printed as `any`, `type` or `type/code`.
 */
export function icmpType(names: readonly IcmpName[]): ValueType {
  return {
    words: 1,
    parse: ([text = '']) => parseIcmpType(text, names),
    print(value) {
      if (value.kind !== 'ranges') return wrongKind(value);
      const [type, codes] = value.ranges;
      if (type === undefined || codes === undefined) return wrongKind(value);
      const allCodes = codes.min === 0n && codes.max === 255n;
      if (type.min === 255n && allCodes && names.some((entry) => entry.type === 255)) return ['any'];
      if (allCodes) return [String(type.min)];
      return [`${type.min}/${codes.min}`];
    },
  };
}

function parseIcmpType(text: string, names: readonly IcmpName[]): ValueResult {
  const lower = text.toLowerCase();
  const exact = names.find((entry) => entry.name === lower);
  const candidates = exact === undefined ? names.filter((entry) => entry.name.startsWith(lower)) : [exact];
  const [first, second] = candidates;
  if (first !== undefined && second !== undefined) {
    return bad(`"${text}" may be ${first.name} or ${second.name}`);
  }
  if (first !== undefined) return result(first.type, first.codes?.min ?? 0, first.codes?.max ?? 255);
  const slash = text.indexOf('/');
  const type = byte(slash === -1 ? text : text.slice(0, slash));
  if (type === undefined) return bad(`"${text}" is not an ICMP type`);
  if (slash === -1) return result(type, 0, 255);
  const [low = '', high] = text.slice(slash + 1).split(':');
  const min = byte(low);
  const max = high === undefined ? min : byte(high);
  if (min === undefined || max === undefined) return bad(`"${text.slice(slash + 1)}" is not an ICMP code`);
  return min > max ? bad(`the codes "${low}:${high}" end before they begin`) : result(type, min, max);
}

function byte(text: string): number | undefined {
  const scanned = scanUnsigned(text);
  return scanned !== undefined && scanned.length === text.length && scanned.value <= 255n
    ? Number(scanned.value)
    : undefined;
}

function result(type: number, min: number, max: number): ValueResult {
  return good({
    kind: 'ranges',
    ranges: [
      { min: BigInt(type), max: BigInt(type) },
      { min: BigInt(min), max: BigInt(max) },
    ],
  });
}
