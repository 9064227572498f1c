import { formatAddress, parseAddress } from '../../packet/address.ts';
import type { ValueType } from '../contract.ts';
import { bad, good, wrongKind } from './numbers.ts';

/** Up to `longest` addresses separated by commas; kept as ranges of one address each, in their order. */
export function addressList(longest: number): ValueType {
  return {
    words: 1,
    parse([text = ''], { family }) {
      const items = text.split(',');
      if (items.length > longest) return bad(`more than ${longest} addresses`);
      const ranges: { min: bigint; max: bigint }[] = [];
      for (const item of items) {
        const address = parseAddress(item, family);
        if (address === undefined) return bad(`"${item}" is not an address`);
        ranges.push({ min: address, max: address });
      }
      return good({ kind: 'ranges', ranges });
    },
    print(value, { family }) {
      if (value.kind !== 'ranges') return wrongKind(value);
      return [value.ranges.map(({ min }) => formatAddress(min, family)).join(',')];
    },
  };
}
