import type { ValueType } from '../contract.ts';
import { bad, good, parseUnsigned, U32_MAX, wrongKind } from './numbers.ts';

/** Milliseconds, or `inf` for "for ever", which the kernel keeps as the highest number. */
export const ledDelay: ValueType = {
  words: 1,
  parse([text = '']) {
    const value = /^inf/i.test(text) ? U32_MAX : parseUnsigned(text, 0n, U32_MAX);
    return value === undefined
      ? bad(`"${text}" is neither a number of milliseconds nor inf`)
      : good({ kind: 'integer', value });
  },
  print(value) {
    if (value.kind !== 'integer') return wrongKind(value);
    return [value.value === U32_MAX ? 'inf' : String(value.value)];
  },
};
