import type { ValueType } from '../contract.ts';
import { bad, good, wrongKind } from './numbers.ts';

/** A comma list of words in exactly this spelling, each at most once in the result, in the order of `words`. */
export function exactWordSet(words: readonly string[], what: string): ValueType {
  return {
    words: 1,
    parse([text = '']) {
      const items = text.split(',');
      const unknown = items.find((item) => !words.includes(item));
      if (unknown !== undefined) return bad(`"${unknown}" is not a ${what}; known are ${words.join(', ')}`);
      return good({ kind: 'set', members: words.filter((word) => items.includes(word)) });
    },
    print: (value) => [value.kind === 'set' ? value.members.join(',') : wrongKind(value)],
  };
}
