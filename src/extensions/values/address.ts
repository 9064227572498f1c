/** Addresses inside options. Names are not resolved: what a name means would change with the day. */

import {
  ADDRESS_BITS,
  formatAddress,
  formatMask,
  parseAddress,
  parseIpv4Loose,
  prefixToMask,
} from '../../packet/address.ts';
import type { Family } from '../../packet/netfilter.ts';
import type { ValueType } from '../contract.ts';
import { bad, good, parseUnsigned, wrongKind } from './numbers.ts';

/** A numeric address as iptables reads it: IPv4 may be short and in C notation, IPv6 as inet_pton has it. */
export function readAddress(text: string, family: Family): bigint | undefined {
  return family === 'ipv4' ? parseIpv4Loose(text) : parseAddress(text, family);
}

/** A mask by prefix length or as an address with all its parts. */
export function readMask(text: string, family: Family): bigint | undefined {
  const prefix = parseUnsigned(text, 0n, BigInt(ADDRESS_BITS[family]));
  if (prefix !== undefined) return prefixToMask(Number(prefix), family);
  return family === 'ipv4' ? parseIpv4Loose(text, { complete: true }) : parseAddress(text, family);
}

/** `address[/mask]`. The address is masked as `-s` does unless `keepHostBits`; a full mask is not printed. */
export function maskedAddress(options: { readonly keepHostBits?: boolean } = {}): ValueType {
  return {
    words: 1,
    parse([text = ''], { family }) {
      const slash = text.indexOf('/');
      const host = slash === -1 ? text : text.slice(0, slash);
      const address = readAddress(host, family);
      if (address === undefined) return bad(`"${host}" is not an ${FAMILY_LABEL[family]} address`);
      const full = prefixToMask(ADDRESS_BITS[family], family);
      const mask = slash === -1 ? full : readMask(text.slice(slash + 1), family);
      if (mask === undefined) return bad(`"${text.slice(slash + 1)}" is not a mask`);
      return good({ kind: 'masked', value: options.keepHostBits === true ? address : address & mask, mask });
    },
    print(value, { family }) {
      if (value.kind !== 'masked') return wrongKind(value);
      const address = formatAddress(value.value, family);
      const mask = formatMask(value.mask, family);
      return [mask === String(ADDRESS_BITS[family]) ? address : `${address}/${mask}`];
    },
  };
}

/** iprange's `a-b`; a single address is the range of that one. Always printed with both ends. */
export const addressRange: ValueType = {
  words: 1,
  parse([text = ''], { family }) {
    const dash = text.indexOf('-');
    const low = dash === -1 ? text : text.slice(0, dash);
    const high = dash === -1 ? text : text.slice(dash + 1);
    const min = readAddress(low, family);
    const max = readAddress(high, family);
    if (min === undefined) return bad(`"${low}" is not an ${FAMILY_LABEL[family]} address`);
    if (max === undefined) return bad(`"${high}" is not an ${FAMILY_LABEL[family]} address`);
    // An inverted range is legal and matches nothing.
    return good({ kind: 'range', min, max });
  },
  print(value, { family }) {
    if (value.kind !== 'range') return wrongKind(value);
    return [`${formatAddress(value.min, family)}-${formatAddress(value.max, family)}`];
  },
};

const FAMILY_LABEL = { ipv4: 'IPv4', ipv6: 'IPv6' } as const satisfies Record<Family, string>;
