import type { ValueType } from '../contract.ts';
import { bad, good, wrongKind } from './numbers.ts';

/** One word out of a few, kept as text in the spelling of the list; every letter counts unless `ignoreCase`. */
export function keyword(words: readonly string[], options: { readonly ignoreCase?: boolean } = {}): ValueType {
  return {
    words: 1,
    parse([text = '']) {
      const wanted = options.ignoreCase === true ? text.toLowerCase() : text;
      const found = words.find((word) => (options.ignoreCase === true ? word.toLowerCase() : word) === wanted);
      return found === undefined
        ? bad(`"${text}" is none of ${words.join(', ')}`)
        : good({ kind: 'text', text: found });
    },
    print: (value) => [value.kind === 'text' ? value.text : wrongKind(value)],
  };
}
