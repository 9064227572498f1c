import type { ValueType } from '../contract.ts';
import { formatHex } from './integer.ts';
import { bad, good, scanUnsigned, U32_MAX, wrongKind } from './numbers.ts';

/** `value[/mask]`, no mask meaning all bits of `max`. Printed in hexadecimal; a full mask is left out unless `always`. */
export function masked(max: bigint, options: { readonly always?: boolean } = {}): ValueType {
  return {
    words: 1,
    parse([text = '']) {
      const slash = text.indexOf('/');
      const first = slash === -1 ? text : text.slice(0, slash);
      const value = whole(first, max);
      if (value === undefined) return bad(`"${first}" is not a number from 0 to ${formatHex(max)}`);
      if (slash === -1) return good({ kind: 'masked', value, mask: max });
      const second = text.slice(slash + 1);
      const mask = whole(second, max);
      if (mask === undefined) return bad(`"${second}" is not a mask from 0 to ${formatHex(max)}`);
      return good({ kind: 'masked', value, mask });
    },
    print(value) {
      if (value.kind !== 'masked') return wrongKind(value);
      const bare = value.mask === max && options.always !== true;
      return [bare ? formatHex(value.value) : `${formatHex(value.value)}/${formatHex(value.mask)}`];
    },
  };
}

/** A mark test: `0x1`, `1/0xff`. */
export const maskedU32: ValueType = masked(U32_MAX);

function whole(text: string, max: bigint): bigint | undefined {
  const scanned = scanUnsigned(text);
  return scanned !== undefined && scanned.length === text.length && scanned.value <= max ? scanned.value : undefined;
}
