import type { ValueType } from '../contract.ts';
import { hostMaskFull } from './host-mask.ts';
import { bad } from './numbers.ts';

/** `address/mask` with a mask that is a prefix; host bits are kept, the length is always printed. */
export const network6: ValueType = {
  words: 1,
  parse(words, ctx) {
    const result = hostMaskFull.parse(words, ctx);
    if (!result.ok || result.value.kind !== 'masked') return result;
    // The complement of a prefix mask is one less than a power of two.
    const hosts = ~result.value.mask & ((1n << 128n) - 1n);
    return (hosts & (hosts + 1n)) === 0n ? result : bad(`the mask of "${words[0]}" is not a prefix`);
  },
  print: hostMaskFull.print,
};
