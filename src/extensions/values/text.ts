/** Free text, and the quoting of iptables-save. */

import type { ValueType } from '../contract.ts';
import { bad, good, wrongKind } from './numbers.ts';

export interface TextOptions {
  /** Cut a text that is too long instead of refusing it. */
  readonly truncate?: boolean;
  /** Refuse line ends. */
  readonly singleLine?: boolean;
  readonly notEmpty?: boolean;
}

/** Text of at most `maxBytes` bytes of UTF-8. */
export function text(maxBytes: number, options: TextOptions = {}): ValueType {
  return {
    words: 1,
    parse([word = '']) {
      if (options.notEmpty === true && word === '') return bad('the text must not be empty');
      if (options.singleLine === true && word.includes('\n')) return bad('the text must not hold a line end');
      if (byteLength(word) <= maxBytes) return good({ kind: 'text', text: word });
      if (options.truncate === true) return good({ kind: 'text', text: cut(word, maxBytes) });
      return bad(`the text has ${byteLength(word)} bytes, more than ${maxBytes}`);
    },
    print(value) {
      return [value.kind === 'text' ? quoteText(value.text) : wrongKind(value)];
    },
  };
}

/** As xtables_save_string: plain words of letters, digits, `_` and `-` stand as they are, all else in double quotes. */
export function quoteText(value: string): string {
  return /^[\w-]+$/.test(value) ? value : `"${value.replace(/["\\']/g, '\\$&')}"`;
}

/** A word as iptables-save writes names: as it is, unless it could not be read back so. */
export function bareOrQuoted(value: string): string {
  return value === '' || /[\s"'\\]/.test(value) ? quoteAlways(value) : value;
}

/** In double quotes, whatever it is. */
export function quoteAlways(value: string): string {
  return `"${value.replace(/["\\]/g, '\\$&')}"`;
}

/** Bytes of UTF-8. */
export function byteLength(value: string): number {
  // Only text outside ASCII can be longer in UTF-8 than in UTF-16 units.
  return /^[\0-\x7f]*$/.test(value) ? value.length : new TextEncoder().encode(value).length;
}

/** The longest beginning that fits; a character is never cut in two. */
export function cut(value: string, maxBytes: number): string {
  let used = 0;
  let kept = '';
  for (const character of value) {
    used += byteLength(character);
    if (used > maxBytes) break;
    kept += character;
  }
  return kept;
}
