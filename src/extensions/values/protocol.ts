import { protocolNumber } from '../../packet/protocols.ts';
import type { ValueType } from '../contract.ts';
import { bad, good, parseUnsigned, wrongKind } from './numbers.ts';

/** A protocol by number 0..255 or name (xtables_parse_protocol). */
export function readProtocol(text: string): number | undefined {
  const number = parseUnsigned(text, 0n, 255n);
  return number === undefined ? protocolNumber(text) : Number(number);
}

/** conntrack's `--ctproto`: 1 to 255, printed as a number. */
export const conntrackProtocol: ValueType = {
  words: 1,
  parse([text = '']) {
    const number = readProtocol(text);
    if (number === undefined) return bad(`"${text}" is not a protocol`);
    return number === 0
      ? bad('protocol 0 is every protocol and cannot be tested')
      : good({ kind: 'integer', value: BigInt(number) });
  },
  print(value) {
    return [value.kind === 'integer' ? String(value.value) : wrongKind(value)];
  },
};

/** A protocol by number or name, 0 to 255; printed as a number. */
export const protocolByte: ValueType = {
  words: 1,
  parse([text = '']) {
    const number = readProtocol(text);
    return number === undefined ? bad(`"${text}" is not a protocol`) : good({ kind: 'integer', value: BigInt(number) });
  },
  print: conntrackProtocol.print,
};
