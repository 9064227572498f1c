import type { ValueType } from '../contract.ts';
import { bad, good, parseUnsigned, U8_MAX, wrongKind } from './numbers.ts';

/** IP6T_OPTS_OPTSNR */
const LONGEST = 16;

/**
 * Options of a hop-by-hop or destination header: `type[:length],...`, at most sixteen. Kept as ranges, `min` being the
 * type and `max` the length; the length 255 means any.
 */
export const typeLengthList: ValueType = {
  words: 1,
  parse([text = '']) {
    const items = text.split(',');
    if (items.length > LONGEST) return bad(`more than ${LONGEST} options`);
    const ranges: { min: bigint; max: bigint }[] = [];
    for (const item of items) {
      const colon = item.indexOf(':');
      const type = parseUnsigned(colon === -1 ? item : item.slice(0, colon), 0n, U8_MAX);
      const length = colon === -1 ? U8_MAX : parseUnsigned(item.slice(colon + 1), 0n, U8_MAX);
      if (type === undefined || length === undefined) return bad(`"${item}" is not an option such as 5 or 5:2`);
      if (type === 0n && colon !== -1) return bad('option 0 (one byte of padding) has no length');
      ranges.push({ min: type, max: length });
    }
    return good({ kind: 'ranges', ranges });
  },
  print(value) {
    if (value.kind !== 'ranges') return wrongKind(value);
    return [value.ranges.map(({ min, max }) => (max === U8_MAX ? String(min) : `${min}:${max}`)).join(',')];
  },
};
