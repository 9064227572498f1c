import type { ValueType } from '../contract.ts';
import { bad, good, wrongKind } from './numbers.ts';
import { readProtocol } from './protocol.ts';

const NAMES: Readonly<Record<number, string>> = { 50: 'esp', 51: 'ah', 108: 'ipcomp' };

/** The protocol of an IPsec transformation, by name or number: esp, ah or ipcomp; printed by name. */
export const securityProtocol: ValueType = {
  words: 1,
  parse([text = '']) {
    const number = readProtocol(text.toLowerCase());
    return number === undefined || NAMES[number] === undefined
      ? bad(`"${text}" is none of ah, esp, ipcomp`)
      : good({ kind: 'integer', value: BigInt(number) });
  },
  print(value) {
    if (value.kind !== 'integer') return wrongKind(value);
    return [NAMES[Number(value.value)] ?? String(value.value)];
  },
};
