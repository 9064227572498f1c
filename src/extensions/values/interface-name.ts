import type { ValueType } from '../contract.ts';
import { bad, good, wrongKind } from './numbers.ts';
import { bareOrQuoted, byteLength } from './text.ts';

/** IFNAMSIZ - 1. */
const LONGEST = 15;

/** The name of a device, at most 15 bytes; at the end `+` stands for any rest where the match allows it. */
export const interfaceName: ValueType = {
  words: 1,
  parse([text = '']) {
    if (text === '') return bad('the name of a device must not be empty');
    if (byteLength(text) > LONGEST) return bad(`"${text}" has more than ${LONGEST} bytes; no device is called so`);
    if (/[\s"/]/.test(text)) return bad(`"${text}" holds blanks, quotes or slashes; no device is called so`);
    return good({ kind: 'text', text });
  },
  print: (value) => [value.kind === 'text' ? bareOrQuoted(value.text) : wrongKind(value)],
};
