import type { ValueType } from '../contract.ts';
import { bad, good, wrongKind } from './numbers.ts';
import { bareOrQuoted, byteLength, cut } from './text.ts';

export interface NameOptions {
  /** The kernel makes a file of it, so it may hold no slash and be neither "." nor ".." (xt_check_proc_name). */
  readonly file?: boolean;
  /** Names that the kernel refuses. */
  readonly reserved?: readonly string[];
  /** Refuse a name that is too long; without it, it is cut as iptables does. */
  readonly whole?: boolean;
  readonly mayBeEmpty?: boolean;
}

/** The name of something, at most `maxBytes` bytes of UTF-8; printed without quotes where it can be read back so. */
export function name(maxBytes: number, options: NameOptions = {}): ValueType {
  return {
    words: 1,
    parse([word = '']) {
      if (word === '' && options.mayBeEmpty !== true) return bad('the name must not be empty');
      if (options.whole === true && byteLength(word) > maxBytes) {
        return bad(`the name has ${byteLength(word)} bytes, more than ${maxBytes}`);
      }
      const text = cut(word, maxBytes);
      const fileName = !text.includes('/') && text !== '.' && text !== '..';
      if (options.file === true && !fileName) return bad(`"${text}" cannot be the name of a file`);
      if (options.reserved?.includes(text) === true) return bad(`the name "${text}" is taken by the kernel`);
      return good({ kind: 'text', text });
    },
    print: (value) => [value.kind === 'text' ? bareOrQuoted(value.text) : wrongKind(value)],
  };
}
