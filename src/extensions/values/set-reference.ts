import type { ValueType } from '../contract.ts';
import { bad, good, wrongKind } from './numbers.ts';
import { bareOrQuoted, byteLength } from './text.ts';

/** IPSET_MAXNAMELEN - 1 and IPSET_DIM_MAX. */
const LONGEST_NAME = 31;
const MOST_DIMENSIONS = 6;

/**
 * The name of an ipset and where the address or port of each of its dimensions comes from: `blocked src,dst`. Kept as the
 * members of a set: the name first, then `src` or `dst` for each dimension. Whether the set exists, and how many dimensions it has, is only
 * known when the rule is loaded.
 */
export const setReference: ValueType = {
  words: 2,
  parse([text = '', list = '']) {
    if (text === '') return bad('the name of the set must not be empty');
    if (byteLength(text) > LONGEST_NAME) return bad(`the name of the set has more than ${LONGEST_NAME} bytes`);
    const sides = list.split(',');
    if (!sides.every((side) => side === 'src' || side === 'dst'))
      return bad(`"${list}" is not a list of src and dst`, 1);
    if (sides.length > MOST_DIMENSIONS) return bad(`more than ${MOST_DIMENSIONS} times src or dst`, 1);
    return good({ kind: 'set', members: [text, ...sides] });
  },
  print(value) {
    if (value.kind !== 'set') return wrongKind(value);
    const [name = '', ...sides] = value.members;
    return [bareOrQuoted(name), sides.join(',')];
  },
};
