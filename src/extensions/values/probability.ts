import type { ValueType } from '../contract.ts';
import { bad, good, wrongKind } from './numbers.ts';

/** 1.0 in the kernel's 31-bit fraction. */
export const PROBABILITY_ONE = 0x8000_0000n;

/** statistic's `--probability`: 0 to 1, kept as a fraction of 2^31, printed with eleven digits. */
export const probability: ValueType = {
  words: 1,
  parse([text = '']) {
    const value = /^[ \t\n\v\f\r]*\+?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(text) ? Number(text.trim()) : Number.NaN;
    if (!(value >= 0 && value <= 1)) return bad(`"${text}" is not a probability from 0 to 1`);
    // lround: halves go away from zero.
    return good({ kind: 'integer', value: BigInt(Math.floor(value * 0x8000_0000 + 0.5)) });
  },
  print(value) {
    if (value.kind !== 'integer') return wrongKind(value);
    return [(Number(value.value) / 0x8000_0000).toFixed(11)];
  },
};
