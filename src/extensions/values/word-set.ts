import type { ValueType } from '../contract.ts';
import { bad, good, wrongKind } from './numbers.ts';

export interface WordSetOptions {
  /** What one word is, for the message: "connection state". */
  readonly what: string;
  /** Accept any beginning of a word; the first in the order of `match` wins, as strncasecmp loops do. */
  readonly abbreviations?: boolean;
  /** The order in which words are compared with an abbreviation; default: the order in which they are printed. */
  readonly match?: readonly string[];
}

/** A comma list of words, case ignored, each at most once in the result, in the order of `words` (the printing order). */
export function wordSet(words: readonly string[], options: WordSetOptions): ValueType {
  const order = options.match ?? words;
  return {
    words: 1,
    parse([text = '']) {
      const chosen = new Set<string>();
      for (const item of text.split(',')) {
        const upper = item.toUpperCase();
        const word = order.find((known) =>
          options.abbreviations === true ? upper !== '' && known.startsWith(upper) : known === upper,
        );
        if (word === undefined) return bad(`"${item}" is not a ${options.what}; known are ${words.join(', ')}`);
        chosen.add(word);
      }
      return good({ kind: 'set', members: words.filter((word) => chosen.has(word)) });
    },
    print(value) {
      return [value.kind === 'set' ? value.members.join(',') : wrongKind(value)];
    },
  };
}
