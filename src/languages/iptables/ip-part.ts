/** The values of -s, -d, -i, -o and -p. Each reader reports what is wrong and then returns undefined. */

import { readAddress, readMask } from '../../extensions/values/address.ts';
import { readProtocol } from '../../extensions/values/protocol.ts';
import { ADDRESS_BITS, prefixToMask } from '../../packet/address.ts';
import type { Family } from '../../packet/netfilter.ts';
import type { MaskedAddress } from '../../rules/model.ts';
import type { Report } from './report.ts';
import { utf8Length, type Word } from './words.ts';

/** How messages call a family. */
export const FAMILY_LABEL = { ipv4: 'IPv4', ipv6: 'IPv6' } as const satisfies Record<Family, string>;

/** IFNAMSIZ - 1. */
const INTERFACE_MAX = 15;

/** `address[/mask]{,address[/mask]}`: one rule for each. Bits outside the mask are cleared (xtables_ipparse_multiple). */
export function readHosts(word: Word, family: Family, report: Report): readonly MaskedAddress[] | undefined {
  const hosts: MaskedAddress[] = [];
  let offset = 0;
  for (const item of word.text.split(',')) {
    const text = item.trimStart();
    const start = word.quoted ? word.start : word.start + offset;
    const place = word.quoted ? word : { start, end: start + item.length };
    offset += item.length + 1;
    const slash = text.lastIndexOf('/');
    const host = slash === -1 ? text : text.slice(0, slash);
    const mask = slash === -1 ? prefixToMask(ADDRESS_BITS[family], family) : readMask(text.slice(slash + 1), family);
    if (mask === undefined) {
      report.add('bad-mask', place, { mask: text.slice(slash + 1), family: FAMILY_LABEL[family] });
      return undefined;
    }
    // With an empty mask iptables does not look at the address: "any/0" is legal.
    const address = mask === 0n ? 0n : readAddress(host, family);
    if (address === undefined) {
      if (/[a-zA-Z]/.test(host) && !host.includes(':'))
        report.add('host-name', place, { name: host, family: FAMILY_LABEL[family] });
      else report.add('bad-address', place, { address: host, family: FAMILY_LABEL[family] });
      return undefined;
    }
    hosts.push(Object.freeze({ address: address & mask, mask }));
  }
  return hosts;
}

/** An interface name as written, at most 15 bytes; a trailing `+` is a wildcard. */
export function readInterface(word: Word, report: Report): string | undefined {
  const name = word.text;
  const why =
    name === ''
      ? 'it is empty'
      : utf8Length(name) > INTERFACE_MAX
        ? `it has more than ${INTERFACE_MAX} bytes`
        : /[\s"]/.test(name)
          ? 'it holds blanks or quotes'
          : undefined;
  if (why === undefined) return name;
  report.add('bad-interface', word, { name, why });
  return undefined;
}

/** A protocol name in any case, or a number 0..255; `all` is 0. */
export function readProtocolWord(word: Word, invert: boolean, report: Report): number | undefined {
  const number = readProtocol(word.text.toLowerCase());
  if (number === undefined) report.add('bad-protocol', word, { protocol: word.text });
  else if (number === 0 && invert) report.add('protocol-never-matches', word);
  else return number;
  return undefined;
}
