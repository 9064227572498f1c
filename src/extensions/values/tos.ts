import type { ValueType } from '../contract.ts';
import { formatByte } from './hex-byte.ts';
import { bad, good, parseUnsigned, U8_MAX, wrongKind } from './numbers.ts';

/** The names of RFC 1349, which leave the two ECN bits alone. */
const NAMES: Readonly<Record<string, bigint>> = {
  'minimize-delay': 0x10n,
  'maximize-throughput': 0x08n,
  'maximize-reliability': 0x04n,
  'minimize-cost': 0x02n,
  'normal-service': 0x00n,
};
const NAME_MASK = 0x3fn;

/** `value[/mask]` or a name; both value and mask are always printed. */
export const tosMask: ValueType = {
  words: 1,
  parse([text = '']) {
    const named = Object.hasOwn(NAMES, text.toLowerCase()) ? NAMES[text.toLowerCase()] : undefined;
    if (named !== undefined) return good({ kind: 'masked', value: named, mask: NAME_MASK });
    const slash = text.indexOf('/');
    const value = parseUnsigned(slash === -1 ? text : text.slice(0, slash), 0n, U8_MAX);
    const mask = slash === -1 ? U8_MAX : parseUnsigned(text.slice(slash + 1), 0n, U8_MAX);
    if (value === undefined || mask === undefined) return bad(`"${text}" is not a type of service`);
    return good({ kind: 'masked', value, mask });
  },
  print(value) {
    if (value.kind !== 'masked') return wrongKind(value);
    return [`${formatByte(value.value)}/${formatByte(value.mask)}`];
  },
};
