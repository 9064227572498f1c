/** Numbers as iptables reads them (xtables_strtoul): C notation, so `010` is 8 and `0x10` is 16. */

import type { OptionValue } from '../../rules/model.ts';
import type { ValueResult } from '../contract.ts';

export const U8_MAX = 0xffn;
export const U16_MAX = 0xffffn;
export const U32_MAX = 0xffff_ffffn;
export const U64_MAX = 0xffff_ffff_ffff_ffffn;

/** Leading blanks and a plus sign are what strtoumax skips; a minus sign is refused. */
const NUMBER = /^[ \t\n\v\f\r]*\+?(0[xX][0-9a-fA-F]+|\d+)/;

/** Reads the number that `text` begins with; `length` is how much of the text it took. */
export function scanUnsigned(text: string): { readonly value: bigint; readonly length: number } | undefined {
  if (isPlainDecimal(text)) return { value: BigInt(Number(text)), length: text.length };
  const found = NUMBER.exec(text);
  const digits = found?.[1];
  if (found === null || digits === undefined) return undefined;
  if (digits.length > 1 && digits.startsWith('0') && digits[1] !== 'x' && digits[1] !== 'X') {
    // An octal number ends before the first 8 or 9; the caller sees the rest as text that does not belong.
    const octal = /^[0-7]+/.exec(digits)?.[0] ?? '0';
    return { value: BigInt(`0o${octal}`), length: found[0].length - (digits.length - octal.length) };
  }
  // Beyond 64 bit strtoumax reports a range error; 2^64 is out of range for every caller.
  const value = digits.length > 20 ? leadingZerosGone(digits) : BigInt(digits);
  return { value, length: found[0].length };
}

/** Up to nine digits and no leading zero: what nearly every text is. */
function isPlainDecimal(text: string): boolean {
  if (text.length === 0 || text.length > 9) return false;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code < DIGIT_0 || code > DIGIT_0 + 9) return false;
  }
  return text.length === 1 || text.charCodeAt(0) !== DIGIT_0;
}

const DIGIT_0 = 0x30;

function leadingZerosGone(digits: string): bigint {
  const significant = digits.replace(/^0[xX]0*/, '0x');
  return significant.length > 20 ? U64_MAX + 1n : BigInt(significant);
}

/** The whole of `text` as a number in `[min, max]`, else undefined. */
export function parseUnsigned(text: string, min: bigint, max: bigint): bigint | undefined {
  const scanned = scanUnsigned(text);
  if (scanned === undefined || scanned.length !== text.length) return undefined;
  return scanned.value >= min && scanned.value <= max ? scanned.value : undefined;
}

export function good(value: OptionValue): ValueResult {
  return { ok: true, value };
}

export function bad(message: string, word?: number): ValueResult {
  return word === undefined ? { ok: false, message } : { ok: false, message, word };
}

/** For `print`: the value must be of the kind that `parse` made; anything else is a fault of the program. */
export function wrongKind(value: OptionValue): never {
  throw new TypeError(`option value of unexpected kind "${value.kind}"`);
}
