import { ADDRESS_BITS, prefixToMask } from '../../packet/address.ts';
import type { ValueType } from '../contract.ts';
import { readMask } from './address.ts';
import { bad, good, wrongKind } from './numbers.ts';

/** The length of a prefix, 0 to 32 or 128, or the mask that has it (XTTYPE_PLEN); printed as a length. */
export const prefixLength: ValueType = {
  words: 1,
  parse([text = ''], { family }) {
    const bits = ADDRESS_BITS[family];
    const mask = readMask(text, family);
    if (mask !== undefined) {
      for (let length = 0; length <= bits; length++) {
        if (prefixToMask(length, family) === mask) return good({ kind: 'integer', value: BigInt(length) });
      }
    }
    return bad(`"${text}" is not the length of a prefix from 0 to ${bits}`);
  },
  print: (value) => [value.kind === 'integer' ? String(value.value) : wrongKind(value)],
};
