import { formatAddress } from '../../packet/address.ts';
import type { ValueType } from '../contract.ts';
import { resolveNumeric } from './host-mask.ts';
import { bad, good, wrongKind } from './numbers.ts';

/** One address without a mask. */
export const hostAddress: ValueType = {
  words: 1,
  parse([text = ''], { family }) {
    const address = resolveNumeric(text, family);
    return address === undefined ? bad(`"${text}" is not an address`) : good({ kind: 'integer', value: address });
  },
  print: (value, { family }) => [value.kind === 'integer' ? formatAddress(value.value, family) : wrongKind(value)],
};
