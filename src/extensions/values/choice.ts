/** One word of a table: log levels, packet types, directions. */

import type { ValueType } from '../contract.ts';
import { bad, good, parseUnsigned, wrongKind } from './numbers.ts';

export interface ChoiceOptions {
  /** What the words are, for the message: "log level". */
  readonly what: string;
  readonly ignoreCase?: boolean;
  /** Numbers up to this one are accepted as well. */
  readonly numbersTo?: bigint;
  /** Print the number and not the word. */
  readonly printNumber?: boolean;
}

/** An integer value that has names; the first name of a number is the one that is printed. */
export function choice(table: Readonly<Record<string, number>>, options: ChoiceOptions): ValueType {
  const byName = new Map(
    Object.entries(table).map(([name, value]) => [options.ignoreCase ? name.toLowerCase() : name, value]),
  );
  return {
    words: 1,
    parse([text = '']) {
      const named = byName.get(options.ignoreCase ? text.toLowerCase() : text);
      if (named !== undefined) return good({ kind: 'integer', value: BigInt(named) });
      const number = options.numbersTo === undefined ? undefined : parseUnsigned(text, 0n, options.numbersTo);
      if (number !== undefined) return good({ kind: 'integer', value: number });
      return bad(`"${text}" is not a ${options.what}; known are ${Object.keys(table).join(', ')}`);
    },
    print(value) {
      if (value.kind !== 'integer') return wrongKind(value);
      const name = Object.entries(table).find(([, number]) => BigInt(number) === value.value)?.[0];
      return [options.printNumber === true || name === undefined ? String(value.value) : name];
    },
  };
}
