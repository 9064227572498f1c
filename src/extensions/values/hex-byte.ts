import type { ValueType } from '../contract.ts';
import { bad, good, parseUnsigned, wrongKind } from './numbers.ts';

/** A number from 0 to `max` (at most 255), printed with two hexadecimal digits. */
export function hexByte(max: bigint): ValueType {
  return {
    words: 1,
    parse([text = '']) {
      const value = parseUnsigned(text, 0n, max);
      return value === undefined ? bad(`"${text}" is not a number from 0 to ${max}`) : good({ kind: 'integer', value });
    },
    print: (value) => [value.kind === 'integer' ? formatByte(value.value) : wrongKind(value)],
  };
}

/** `0x` and two digits. */
export function formatByte(value: bigint): string {
  return `0x${value.toString(16).padStart(2, '0')}`;
}
