import { ADDRESS_BITS, formatAddress, formatMask, prefixToMask } from '../../packet/address.ts';
import type { ValueType } from '../contract.ts';
import { readMask } from './address.ts';
import { resolveNumeric } from './host-mask.ts';
import { bad, good, wrongKind } from './numbers.ts';

/** `address[/prefix]` with a mask that is a prefix; host bits are cut off, the prefix is always printed. */
export const network: ValueType = {
  words: 1,
  parse([text = ''], { family }) {
    const slash = text.indexOf('/');
    const address = resolveNumeric(slash === -1 ? text : text.slice(0, slash), family);
    const full = prefixToMask(ADDRESS_BITS[family], family);
    const mask = slash === -1 ? full : readMask(text.slice(slash + 1), family);
    if (address === undefined || mask === undefined) return bad(`"${text}" is not a network`);
    // The complement of a prefix mask is one less than a power of two.
    const hosts = full & ~mask;
    if ((hosts & (hosts + 1n)) !== 0n) return bad(`the mask of "${text}" is not a prefix`);
    return good({ kind: 'masked', value: address & mask, mask });
  },
  print(value, { family }) {
    if (value.kind !== 'masked') return wrongKind(value);
    return [`${formatAddress(value.value, family)}/${formatMask(value.mask, family)}`];
  },
};
