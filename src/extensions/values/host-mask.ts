/**
 * Addresses in options that iptables gives to the resolver (XTTYPE_HOST, XTTYPE_HOSTMASK). Names are not looked up; what
 * is left of IPv4 is inet_aton, where the last part fills all remaining bytes: 10.1 is 10.0.0.1, unlike in `-s`.
 */

import { ADDRESS_BITS, parseAddress, prefixToMask } from '../../packet/address.ts';
import type { Family } from '../../packet/netfilter.ts';
import type { ValueType } from '../contract.ts';
import { maskedAddress, readMask } from './address.ts';
import { bad, good, parseUnsigned } from './numbers.ts';

/** One numeric address as the resolver reads it. */
export function resolveNumeric(text: string, family: Family): bigint | undefined {
  if (family === 'ipv6') return parseAddress(text, family);
  const parts = text.split('.');
  if (parts.length > 4 || !/^[\da-fA-FxX.]+$/.test(text)) return undefined;
  let address = 0n;
  for (const [at, part] of parts.entries()) {
    const last = at === parts.length - 1;
    const bits = last ? 8n * BigInt(5 - parts.length) : 8n;
    const value = parseUnsigned(part, 0n, (1n << bits) - 1n);
    if (value === undefined) return undefined;
    address = (address << bits) | value;
  }
  return address;
}

const printer = maskedAddress({ keepHostBits: true });

/** `address[/mask]`, host bits kept; a full mask is not printed. */
export const hostMask: ValueType = {
  words: 1,
  parse([text = ''], { family }) {
    const slash = text.indexOf('/');
    const host = slash === -1 ? text : text.slice(0, slash);
    const address = resolveNumeric(host, family);
    if (address === undefined) return bad(`"${host}" is not a numeric address`);
    const mask =
      slash === -1 ? prefixToMask(family === 'ipv4' ? 32 : 128, family) : readMask(text.slice(slash + 1), family);
    return mask === undefined
      ? bad(`"${text.slice(slash + 1)}" is not a mask`)
      : good({ kind: 'masked', value: address, mask });
  },
  print: printer.print,
};

/** As `hostMask`, but a full mask is printed too. */
export const hostMaskFull: ValueType = {
  words: 1,
  parse: hostMask.parse,
  print(value, ctx) {
    const [text = ''] = printer.print(value, ctx);
    return [text.includes('/') ? text : `${text}/${ADDRESS_BITS[ctx.family]}`];
  },
};
