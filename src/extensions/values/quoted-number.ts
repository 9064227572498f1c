import type { ValueType } from '../contract.ts';
import { integer } from './integer.ts';
import { wrongKind } from './numbers.ts';

/** A number that iptables-save prints in quotes, because there might stand a name. */
export function quotedNumber(min: bigint, max: bigint): ValueType {
  return {
    words: 1,
    parse: integer(min, max).parse,
    print: (value) => [value.kind === 'integer' ? `"${value.value}"` : wrongKind(value)],
  };
}
