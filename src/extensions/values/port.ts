/** Ports and lists of ports, by number or by the name of a service. */

import { protocolName } from '../../packet/protocols.ts';
import { type ServiceProtocol, servicePort } from '../../packet/services.ts';
import type { OptionValue } from '../../rules/model.ts';
import type { ValueContext, ValueResult, ValueType } from '../contract.ts';
import { bad, good, parseUnsigned, U16_MAX, wrongKind } from './numbers.ts';
import { formatRange, orderedRange } from './range.ts';

/** A number 0..65535 in C notation, or the name of a service (xtables_parse_port). */
export function parsePort(text: string, protocol?: ServiceProtocol): bigint | undefined {
  const number = parseUnsigned(text, 0n, U16_MAX);
  if (number !== undefined) return number;
  const service = servicePort(text, protocol);
  return service === undefined ? undefined : BigInt(service);
}

function notAPort(text: string): ValueResult {
  return bad(`"${text}" is neither a port number nor the name of a service`);
}

/**
 * `port`, `a:b`, `a:`, `:b` or `:` for a match of one protocol. A service is looked up for that protocol, or for any
 * when none is given (UDP-Lite has no names of its own in /etc/services).
 */
export function portRange(protocol?: ServiceProtocol): ValueType {
  return {
    words: 1,
    parse([text = '']) {
      const colon = text.indexOf(':');
      const low = colon === -1 ? text : text.slice(0, colon);
      const high = colon === -1 ? low : text.slice(colon + 1);
      const min = low === '' && colon !== -1 ? 0n : parsePort(low, protocol);
      if (min === undefined) return notAPort(low);
      const max = high === '' && colon !== -1 ? U16_MAX : parsePort(high, protocol);
      return max === undefined ? notAPort(high) : orderedRange(text, min, max);
    },
    print: (value) => [formatRange(value)],
  };
}

/** Slots in `struct xt_multiport_v1`; a port takes one, a range two. */
const MULTIPORT_SLOTS = 15;
const MULTIPORT_PROTOCOLS: readonly number[] = [6, 17, 33, 132, 136];

/** multiport's list: `22,80,1024:65535`, at most fifteen slots, each range with both ends and the second above the first. */
export const portList: ValueType = {
  words: 1,
  parse([text = ''], ctx) {
    const protocol = ctx.ip?.protocol;
    if (protocol === undefined || protocol.invert || !MULTIPORT_PROTOCOLS.includes(protocol.value)) {
      return bad('give -p tcp, udp, udplite, sctp or dccp before this option');
    }
    const ranges: { min: bigint; max: bigint }[] = [];
    let slots = 0;
    for (const item of text.split(',')) {
      const colon = item.indexOf(':');
      const low = colon === -1 ? item : item.slice(0, colon);
      const high = colon === -1 ? low : item.slice(colon + 1);
      const min = parsePort(low, serviceProtocol(ctx));
      const max = parsePort(high, serviceProtocol(ctx));
      if (min === undefined) return notAPort(low);
      if (max === undefined) return notAPort(high);
      if (colon !== -1 && min >= max) return bad(`the range "${item}" must end above where it begins`);
      slots += colon === -1 ? 1 : 2;
      ranges.push({ min, max });
    }
    if (slots > MULTIPORT_SLOTS) {
      return bad(`the list needs ${slots} of ${MULTIPORT_SLOTS} slots (a port takes one, a range two)`);
    }
    return good({ kind: 'ranges', ranges });
  },
  print: (value) => [formatPortList(value)],
};

function formatPortList(value: OptionValue): string {
  if (value.kind !== 'ranges') return wrongKind(value);
  return value.ranges.map(({ min, max }) => (min === max ? `${min}` : `${min}:${max}`)).join(',');
}

function serviceProtocol(ctx: ValueContext): ServiceProtocol | undefined {
  const name = protocolName(ctx.ip?.protocol?.value ?? 0);
  return name === 'tcp' || name === 'udp' || name === 'sctp' || name === 'dccp' ? name : undefined;
}

/** A port range as the conntrack match reads it (getaddrinfo): decimal numbers or any protocol's service names. */
export const conntrackPortRange: ValueType = {
  words: 1,
  parse([text = '']) {
    const parts = text.split(':');
    if (parts.length > 2) return bad(`"${text}" has more than two parts`);
    const ends: bigint[] = [];
    for (const [at, part] of parts.entries()) {
      const port = part === '' ? (at === 0 ? 0n : U16_MAX) : parseDecimalPort(part);
      if (port === undefined) return notAPort(part);
      ends.push(port);
    }
    const min = ends[0] ?? 0n;
    return orderedRange(text, min, ends[1] ?? min);
  },
  print: (value) => [formatRange(value)],
};

function parseDecimalPort(text: string): bigint | undefined {
  const number = /^\d+$/.test(text) ? Number(text) : servicePort(text);
  return number === undefined || number > 0xffff ? undefined : BigInt(number);
}
