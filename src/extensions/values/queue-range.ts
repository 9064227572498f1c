import type { ValueType } from '../contract.ts';
import { bad, good, parseUnsigned, U16_MAX } from './numbers.ts';
import { formatRange } from './range.ts';

/** `a:b`, `a:`, `:b` or `:` over queue numbers; at least two queues, and not all 65,536, which the kernel cannot count. */
export const queueRange: ValueType = {
  words: 1,
  parse([text = '']) {
    const [low, high, ...rest] = text.split(':');
    if (low === undefined || high === undefined || rest.length > 0) return bad(`"${text}" is not a range of queues`);
    const min = low === '' ? 0n : parseUnsigned(low, 0n, U16_MAX - 1n);
    const max = high === '' ? U16_MAX - 1n : parseUnsigned(high, 0n, U16_MAX);
    if (min === undefined || max === undefined) return bad(`"${text}" is not a range of queues`);
    if (min >= max) return bad(`the range "${text}" must end above where it begins`);
    if (max - min >= U16_MAX) return bad(`the range "${text}" is too long`);
    return good({ kind: 'range', min, max });
  },
  print: (value) => [formatRange(value)],
};
