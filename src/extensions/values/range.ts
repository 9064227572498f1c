/** Ranges of numbers `a`, `a:b`, `a:`, `:b` and `:`; a missing end is the lowest or highest number there is. */

import type { OptionValue } from '../../rules/model.ts';
import type { ValueResult, ValueType } from '../contract.ts';
import { bad, good, scanUnsigned, U8_MAX, U16_MAX, U32_MAX, wrongKind } from './numbers.ts';

/** A range from 0 to `max`. An empty text is 0, as xtopt_parse_mint has it; `b` may not be below `a`. */
export function integerRange(max: bigint): ValueType {
  return {
    words: 1,
    parse: ([text = '']) => parseRange(text, max),
    print: (value) => [formatRange(value)],
  };
}

export const u8Range: ValueType = integerRange(U8_MAX);
export const u16Range: ValueType = integerRange(U16_MAX);
export const u32Range: ValueType = integerRange(U32_MAX);

function parseRange(text: string, max: bigint): ValueResult {
  const parts = text.split(':');
  if (parts.length > 2) return bad(`"${text}" has more than two parts`);
  const ends: bigint[] = [];
  for (const [at, part] of parts.entries()) {
    if (part === '') {
      ends.push(at === 0 ? 0n : max);
      continue;
    }
    const scanned = scanUnsigned(part);
    if (scanned === undefined || scanned.length !== part.length || scanned.value > max) {
      return bad(`"${part}" is not a number from 0 to ${max}`);
    }
    ends.push(scanned.value);
  }
  const min = ends[0] ?? 0n;
  return orderedRange(text, min, ends[1] ?? min);
}

/** The result for a range; an inverted one is refused. */
export function orderedRange(text: string, min: bigint, max: bigint): ValueResult {
  return min > max ? bad(`the range "${text}" ends before it begins`) : good({ kind: 'range', min, max });
}

/** `a` or `a:b`. */
export function formatRange(value: OptionValue): string {
  if (value.kind !== 'range') return wrongKind(value);
  return value.min === value.max ? String(value.min) : `${value.min}:${value.max}`;
}
