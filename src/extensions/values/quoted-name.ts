import type { ValueType } from '../contract.ts';
import { name } from './name.ts';
import { wrongKind } from './numbers.ts';
import { quoteAlways } from './text.ts';

/** A name of at most `maxBytes` bytes that iptables-save prints in quotes, whatever it is. */
export function quotedName(maxBytes: number): ValueType {
  return {
    words: 1,
    parse: name(maxBytes, { whole: true }).parse,
    print: (value) => [value.kind === 'text' ? quoteAlways(value.text) : wrongKind(value)],
  };
}
