import type { ValueType } from '../contract.ts';
import { bad, good, wrongKind } from './numbers.ts';

/** A traffic control class `major:minor`, both hexadecimal; printed with four digits each. */
export const classId: ValueType = {
  words: 1,
  parse([text = '']) {
    const found = /^(?:0[xX])?([0-9a-fA-F]{1,4}):(?:0[xX])?([0-9a-fA-F]{1,4})$/.exec(text);
    const [, major, minor] = found ?? [];
    if (major === undefined || minor === undefined) return bad(`"${text}" is not a class such as 1:10`);
    return good({ kind: 'integer', value: (BigInt(`0x${major}`) << 16n) | BigInt(`0x${minor}`) });
  },
  print(value) {
    if (value.kind !== 'integer') return wrongKind(value);
    const digits = value.value.toString(16).padStart(8, '0');
    return [`${digits.slice(0, 4)}:${digits.slice(4)}`];
  },
};
