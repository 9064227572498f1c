import type { MatchExtension } from '../contract.ts';
import { integer } from '../values/integer.ts';
import { U32_MAX } from '../values/numbers.ts';
import { typeLengthList } from '../values/type-length-list.ts';

/** ip6t_hbh, under two names: the headers that hold options. */
function optionHeader(name: 'dst' | 'hbh', summary: string): MatchExtension {
  return {
    kind: 'match',
    name,
    summary,
    notes: ['The options must stand in the header in the order that is given; a length of 255 means any.'],
    families: ['ipv6'],
    options: [
      { name: `${name}-len`, value: integer(0n, U32_MAX), syntax: 'bytes', invertible: true },
      { name: `${name}-opts`, value: typeLengthList, syntax: 'type[:length],...' },
    ],
  };
}

export const dst: MatchExtension = optionHeader('dst', 'Length and options of a destination options header.');
export const hbh: MatchExtension = optionHeader('hbh', 'Length and options of a hop-by-hop options header.');
