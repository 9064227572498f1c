import type { ValueType } from '../contract.ts';
import { bad, good, wrongKind } from './numbers.ts';

/** Six bytes in hexadecimal, one or two digits each; printed in lower case. */
export const macAddress: ValueType = {
  words: 1,
  parse([text = '']) {
    const parts = text.split(':');
    if (parts.length !== 6 || !parts.every((part) => /^[0-9a-fA-F]{1,2}$/.test(part))) {
      return bad(`"${text}" is not a MAC address`);
    }
    return good({ kind: 'bytes', bytes: parts.map((part) => Number.parseInt(part, 16)) });
  },
  print(value) {
    if (value.kind !== 'bytes') return wrongKind(value);
    return [value.bytes.map((byte) => byte.toString(16).padStart(2, '0')).join(':')];
  },
};
