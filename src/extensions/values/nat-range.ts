/** Where nat targets send to: addresses and ports. Kept as the text that iptables-save prints. */

import { formatAddress, parseAddress } from '../../packet/address.ts';
import type { Family } from '../../packet/netfilter.ts';
import type { ValueResult, ValueType } from '../contract.ts';
import { bad, good, parseUnsigned, U16_MAX, wrongKind } from './numbers.ts';
import { parsePort } from './port.ts';

interface Part {
  readonly text: string;
}
type Parsed = Part | { readonly problem: string };

/** `address[-address][:ports]`, IPv6 addresses with ports in brackets, or `:ports`; `shifted` allows `first-last/base`. */
export function natRange(options: { readonly shifted?: boolean } = {}): ValueType {
  return {
    words: 1,
    parse: ([text = ''], { family }) => parseNatRange(text, family, options.shifted === true),
    print: (value) => [value.kind === 'text' ? value.text : wrongKind(value)],
  };
}

/** `port[-port]`: masquerade and redirect. */
export const natPorts: ValueType = {
  words: 1,
  parse([text = '']) {
    const ports = parsePorts(text, false);
    return 'problem' in ports ? bad(ports.problem) : good({ kind: 'text', text: ports.text });
  },
  print: (value) => [value.kind === 'text' ? value.text : wrongKind(value)],
};

/** Whether a parsed natRange names ports, which needs a protocol that has them. */
export function hasPorts(text: string, family: Family): boolean {
  return family === 'ipv4' ? text.includes(':') : text.startsWith(':') || text.includes(']:');
}

function parseNatRange(text: string, family: Family, shifted: boolean): ValueResult {
  const split = splitPorts(text, family);
  if ('problem' in split) return bad(split.problem);
  const addresses = split.addresses === '' && split.ports !== undefined ? '' : parseAddresses(split.addresses, family);
  if (addresses === undefined) return bad(`"${split.addresses}" is not an address or a range of addresses`);
  if (split.ports === undefined) return good({ kind: 'text', text: addresses });
  const ports = parsePorts(split.ports, shifted);
  if ('problem' in ports) return bad(ports.problem);
  const host = family === 'ipv6' && addresses !== '' ? `[${addresses}]` : addresses;
  return good({ kind: 'text', text: `${host}:${ports.text}` });
}

function splitPorts(
  text: string,
  family: Family,
): { readonly addresses: string; readonly ports?: string } | { readonly problem: string } {
  if (family === 'ipv6') {
    if (text.startsWith(':') && !text.startsWith('::')) return { addresses: '', ports: text.slice(1) };
    if (!text.startsWith('[')) return { addresses: text };
    const close = text.indexOf(']');
    if (close === -1) return { problem: `"${text}" has no closing bracket` };
    const addresses = text.slice(1, close);
    const rest = text.slice(close + 1);
    if (rest === '') return { addresses };
    return rest.startsWith(':') ? { addresses, ports: rest.slice(1) } : { problem: `"${rest}" is not ":port"` };
  }
  const colon = text.lastIndexOf(':');
  return colon === -1 ? { addresses: text } : { addresses: text.slice(0, colon), ports: text.slice(colon + 1) };
}

function parseAddresses(text: string, family: Family): string | undefined {
  const dash = text.indexOf('-');
  const low = parseAddress(dash === -1 ? text : text.slice(0, dash), family);
  const high = dash === -1 ? low : parseAddress(text.slice(dash + 1), family);
  if (low === undefined || high === undefined) return undefined;
  return low === high ? formatAddress(low, family) : `${formatAddress(low, family)}-${formatAddress(high, family)}`;
}

/** Numbers and ranges of numbers, or the name of one service; after a range `/base`, which may be a name too. */
function parsePorts(text: string, shifted: boolean): Parsed {
  const service = parsePort(text);
  if (service !== undefined) return { text: String(service) };
  const slash = text.indexOf('/');
  const [low = '', high = ''] = splitOnce(slash === -1 ? text : text.slice(0, slash), '-');
  const first = parseUnsigned(low, 0n, U16_MAX);
  const last = parseUnsigned(high, 0n, U16_MAX);
  if (first === undefined) return { problem: `"${low}" is neither a port number nor the name of a service` };
  if (last === undefined) return { problem: `"${high}" is not a port number` };
  if (first > last) return { problem: `the range "${text}" ends before it begins` };
  const range = first === last ? String(first) : `${first}-${last}`;
  if (slash === -1) return { text: range };
  if (!shifted) return { problem: 'only DNAT can shift a range of ports to a base' };
  const word = text.slice(slash + 1);
  const base = parsePort(word);
  return base === undefined || base === 0n
    ? { problem: `"${word}" is not a port number from 1 to 65535` }
    : { text: `${range}/${base}` };
}

function splitOnce(text: string, separator: string): readonly string[] {
  const at = text.indexOf(separator);
  return at === -1 ? [text] : [text.slice(0, at), text.slice(at + separator.length)];
}
