import type { ValueType } from '../contract.ts';
import { bad, parseUnsigned, U8_MAX } from './numbers.ts';
import { formatRange, orderedRange } from './range.ts';

/** Types of mobility headers by their long names; the position is the number (RFC 6275). */
const LONG = [
  'binding-refresh-request',
  'home-test-init',
  'careof-test-init',
  'home-test',
  'careof-test',
  'binding-update',
  'binding-acknowledgement',
  'binding-error',
] as const;
const SHORT = ['brr', 'hoti', 'coti', 'hot', 'cot', 'bu', 'ba', 'be'] as const;

/** `type[:type]` by number, name or beginning of a name (the first that fits), case ignored; printed as numbers. */
export const mhType: ValueType = {
  words: 1,
  parse([text = '']) {
    const colon = text.indexOf(':');
    const low = colon === -1 ? text : text.slice(0, colon);
    const high = colon === -1 ? low : text.slice(colon + 1);
    const min = low === '' && colon !== -1 ? 0n : readType(low);
    const max = high === '' && colon !== -1 ? U8_MAX : readType(high);
    if (min === undefined) return bad(`"${low}" is not a type of mobility header`);
    if (max === undefined) return bad(`"${high}" is not a type of mobility header`);
    return orderedRange(text, min, max);
  },
  print: (value) => [formatRange(value)],
};

/** How listings show the number of a type; numbers without a name stay. */
export function mhTypeName(number: string): string {
  return LONG[Number(number)] ?? number;
}

function readType(text: string): bigint | undefined {
  const lower = text.toLowerCase();
  if (lower === '') return undefined;
  const exact = Math.max((LONG as readonly string[]).indexOf(lower), (SHORT as readonly string[]).indexOf(lower));
  if (exact !== -1) return BigInt(exact);
  const begun = LONG.findIndex((name, at) => name.startsWith(lower) || SHORT[at]?.startsWith(lower) === true);
  return begun === -1 ? parseUnsigned(text, 0n, U8_MAX) : BigInt(begun);
}
