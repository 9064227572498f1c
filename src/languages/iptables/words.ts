/** How iptables-restore cuts a line into words (add_param_to_argv of xshared.c). */

/** A word of a line: its text without quoting, and where it stands in the source. */
export interface Word {
  readonly text: string;
  readonly start: number;
  readonly end: number;
  /** Text and source differ, so that offsets inside one mean nothing in the other. */
  readonly quoted: boolean;
}

export interface SplitLine {
  readonly words: readonly Word[];
  /** Offset of a double quote that is never closed. */
  readonly unclosed?: number;
}

/**
 * Cuts `text[from, to)` at blanks and tabs. Double quotes keep blanks together and a backslash inside them takes the next
 * character as it is. A closing quote ends the word. Single quotes and backslashes elsewhere are ordinary characters.
 */
export function splitWords(text: string, from: number, to: number): SplitLine {
  const words: Word[] = [];
  let at = from;
  while (at < to) {
    const code = text.charCodeAt(at);
    if (code === BLANK || code === TAB) {
      at++;
      continue;
    }
    const start = at;
    at = plainEnd(text, at, to);
    if (at === to || text.charCodeAt(at) !== QUOTE) {
      words.push({ text: text.slice(start, at), start, end: at, quoted: false });
      continue;
    }
    const quote = readQuote(text, at, to);
    if (quote === undefined) return { words, unclosed: at };
    words.push({ text: text.slice(start, at) + quote.text, start, end: quote.end, quoted: true });
    at = quote.end;
  }
  return { words };
}

const BLANK = 0x20;
const TAB = 0x09;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** The first blank, tab or quote. */
function plainEnd(text: string, from: number, to: number): number {
  for (let at = from; at < to; at++) {
    const code = text.charCodeAt(at);
    if (code === BLANK || code === TAB || code === QUOTE) return at;
  }
  return to;
}

/** What stands between the quote at `open` and its end; `end` is behind the closing quote. */
function readQuote(text: string, open: number, to: number): { text: string; end: number } | undefined {
  let value = '';
  let copied = open + 1;
  for (let at = open + 1; at < to; at++) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) return { text: value + text.slice(copied, at), end: at + 1 };
    if (code !== BACKSLASH) continue;
    value += text.slice(copied, at);
    at++;
    copied = at;
  }
  return undefined;
}

/** The part of a word from `offset` on; its place is exact where the word is written plainly. */
export function wordFrom(word: Word, offset: number): Word {
  const start = word.quoted ? word.start : word.start + offset;
  return { text: word.text.slice(offset), start, end: word.end, quoted: word.quoted };
}

/** Length in bytes of UTF-8. */
export function utf8Length(text: string): number {
  let length = text.length;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    // Each half of a surrogate pair stands for two of four bytes.
    if (code >= 0x80) length += code < 0x800 || (code >= 0xd800 && code < 0xe000) ? 1 : 2;
  }
  return length;
}
