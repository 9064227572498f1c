import type { ValueType } from '../contract.ts';
import { good } from './numbers.ts';

/** An option without a value, such as `--log-uid`. */
export const flag: ValueType = {
  words: 0,
  parse: () => good({ kind: 'flag' }),
  print: () => [],
};
