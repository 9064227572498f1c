/** What the string match looks for: text, or text with bytes in hexadecimal between bars (`GET|0d 0a|`). */

import type { ValueResult, ValueType } from '../contract.ts';
import { bad, good, wrongKind } from './numbers.ts';
import { quoteAlways } from './text.ts';

/** XT_STRING_MAX_PATTERN_SIZE */
const LONGEST = 128;
const BACKSLASH = 0x5c;

const encoder = new TextEncoder();

/** Text as it stands, kept as its bytes. */
export const plainPattern: ValueType = {
  words: 1,
  parse: ([text = '']) => pattern([...encoder.encode(text)]),
  print: (value) => [value.kind === 'bytes' ? formatPattern(value.bytes).text : wrongKind(value)],
};

/** Text with blocks of hexadecimal digits; a backslash takes the special meaning of what follows it. */
export const hexPattern: ValueType = { words: 1, parse: ([text = '']) => readHex(text), print: plainPattern.print };

/** How iptables-save writes a pattern: as text if it is printable, else in hexadecimal; always in quotes. */
export function formatPattern(bytes: readonly number[]): { readonly hex: boolean; readonly text: string } {
  const hex = bytes.some((byte) => byte < 0x20 || byte > 0x7e) || bytes.at(-1) === BACKSLASH;
  return hex
    ? { hex, text: `"|${bytes.map((byte) => byte.toString(16).padStart(2, '0')).join('')}|"` }
    : { hex, text: quoteAlways(String.fromCharCode(...bytes)) };
}

function pattern(bytes: readonly number[]): ValueResult {
  if (bytes.length === 0) return bad('there must be at least one byte to look for');
  return bytes.length > LONGEST ? bad(`more than ${LONGEST} bytes to look for`) : good({ kind: 'bytes', bytes });
}

function readHex(text: string): ValueResult {
  const bytes: number[] = [];
  for (let at = 0; at < text.length; ) {
    if (text[at] === '|') {
      const block = /^\| *((?:[0-9a-fA-F]{2} ?)+)\|/.exec(text.slice(at));
      const digits = block?.[1];
      if (block === null || digits === undefined)
        return bad(`"${text.slice(at)}" does not begin with a block such as |0d 0a|`);
      for (const pair of digits.match(/[0-9a-fA-F]{2}/g) ?? []) bytes.push(Number.parseInt(pair, 16));
      at += block[0].length;
      if (text[at] === '|') return bad('two blocks must not touch each other');
      // iptables takes the first character behind a block as it is.
      if (text[at] !== '\\') continue;
      bytes.push(BACKSLASH);
      at++;
      continue;
    }
    if (text[at] === '\\') at++;
    const point = text.codePointAt(at);
    if (point === undefined) return bad('a backslash at the end');
    const character = String.fromCodePoint(point);
    bytes.push(...encoder.encode(character));
    at += character.length;
  }
  return pattern(bytes);
}
