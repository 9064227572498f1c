import type { ValueType } from '../contract.ts';
import { bad, good, parseUnsigned, U16_MAX, wrongKind } from './numbers.ts';

/** A conntrack zone: a number, or `mark` for "the mark of the packet". */
export const ctZone: ValueType = {
  words: 1,
  parse([text = '']) {
    if (text === 'mark') return good({ kind: 'text', text });
    const zone = parseUnsigned(text, 0n, U16_MAX);
    return zone === undefined ? bad(`"${text}" is not a zone from 0 to 65535`) : good({ kind: 'integer', value: zone });
  },
  print(value) {
    if (value.kind === 'text') return [value.text];
    return [value.kind === 'integer' ? String(value.value) : wrongKind(value)];
  },
};
