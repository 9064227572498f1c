import type { ValueType } from '../contract.ts';
import { bad, good, parseUnsigned, wrongKind } from './numbers.ts';

/** One number from `min` to `max` (inclusive), printed in decimal, or as iptables' `%#x` does with `base: 16`. */
export function integer(min: bigint, max: bigint, options: { readonly base?: 10 | 16 } = {}): ValueType {
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
      return [options.base === 16 ? formatHex(value.value) : String(value.value)];
    },
  };
}

/** `0x` and the digits. */
export function formatHex(value: bigint): string {
  return `0x${value.toString(16)}`;
}
