import type { OptionMap } from '../contract.ts';
import { given, without } from '../options.ts';
import { U32_MAX } from '../values/numbers.ts';

/** A range of everything asks nothing and is not printed; inverted it stays, because it never matches. */
export function withoutIdleRange(options: OptionMap, name: string, max: bigint = U32_MAX): OptionMap {
  const range = given(options, name, 'range');
  const idle = range !== undefined && range.min === 0n && range.max === max && !range.invert;
  return idle ? without(options, name) : options;
}
