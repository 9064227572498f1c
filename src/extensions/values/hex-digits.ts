import type { ValueType } from '../contract.ts';
import { bad, good, parseUnsigned, wrongKind } from './numbers.ts';

/** A number from `min` to `max`, printed as `0x` and `digits` hexadecimal digits. */
export function hexDigits(min: bigint, max: bigint, digits: number): ValueType {
  return {
    words: 1,
    parse([text = '']) {
      const value = parseUnsigned(text, min, max);
      return value === undefined
        ? bad(`"${text}" is not a number from ${min} to ${max}`)
        : good({ kind: 'integer', value });
    },
    print(value) {
      if (value.kind !== 'integer') return wrongKind(value);
      return [`0x${value.value.toString(16).padStart(digits, '0')}`];
    },
  };
}
