import type { ValueType } from '../contract.ts';
import { bad, good, wrongKind } from './numbers.ts';

export interface RejectName {
  readonly name: string;
  readonly alias: string;
}

/**
 * `--reject-with`: any beginning of a name or alias, case ignored; the first of the table that begins so is meant.
 * Printed by its full name.
 */
export function rejectType(names: readonly RejectName[]): ValueType {
  return {
    words: 1,
    parse([text = '']) {
      const lower = text.toLowerCase();
      const found = names.find(({ name, alias }) => name.startsWith(lower) || alias.startsWith(lower));
      if (found !== undefined) return good({ kind: 'text', text: found.name });
      return bad(`"${text}" is not a kind of rejection; known are ${names.map(({ name }) => name).join(', ')}`);
    },
    print: (value) => [value.kind === 'text' ? value.text : wrongKind(value)],
  };
}
