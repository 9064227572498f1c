import type { ValueType } from '../contract.ts';
import { masked } from './masked.ts';
import { bad, good, U32_MAX } from './numbers.ts';

/**
 * `value[/mask]` where some values have names (XT_OPTION with a name file of iproute2). Only names that every system has
 * are known; a value with a name and a full mask is printed by it.
 */
export function namedMasked(names: Readonly<Record<string, bigint>>, what: string): ValueType {
  const plain = masked(U32_MAX);
  return {
    words: 1,
    parse(words, ctx) {
      const [text = ''] = words;
      const named = Object.hasOwn(names, text) ? names[text] : undefined;
      if (named !== undefined) return good({ kind: 'masked', value: named, mask: U32_MAX });
      const result = plain.parse(words, ctx);
      return result.ok ? result : bad(`"${text}" is neither a number nor a ${what} that every system knows`);
    },
    print(value, ctx) {
      const name =
        value.kind === 'masked' && value.mask === U32_MAX
          ? Object.keys(names).find((key) => names[key] === value.value)
          : undefined;
      return name === undefined ? plain.print(value, ctx) : [name];
    },
  };
}
