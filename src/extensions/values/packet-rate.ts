import type { ValueType } from '../contract.ts';
import { bad, good, parseUnsigned, U32_MAX, wrongKind } from './numbers.ts';

/** Packets per second. May be left out, as a bit rate may. */
export const packetRate: ValueType = {
  words: 0,
  optionalWord: true,
  parse([text]) {
    const value = text === undefined ? 0n : parseUnsigned(text, 0n, U32_MAX);
    return value === undefined ? bad(`"${text}" is not a number of packets`) : good({ kind: 'integer', value });
  },
  print(value) {
    if (value.kind === 'flag') return [];
    return [value.kind === 'integer' ? String(value.value) : wrongKind(value)];
  },
};
