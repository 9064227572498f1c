import type { MatchExtension } from '../contract.ts';
import { extensionHeader, headerLength } from '../extension-header.ts';
import { optionHeader as optionHeaderLayouts } from '../layouts/extension-headers.ts';
import { given, lowered } from '../options.ts';
import { integer } from '../values/integer.ts';
import { U8_MAX, U32_MAX } from '../values/numbers.ts';
import { typeLengthList } from '../values/type-length-list.ts';

/** ip6t_hbh, under two names: the headers that hold options. */
function optionHeader(name: 'dst' | 'hbh', header: 60 | 0, summary: string): MatchExtension {
  return {
    kind: 'match',
    name,
    summary,
    notes: ['The options must stand in the header in the order that is given; a length of 255 means any.'],
    families: ['ipv6'],
    layouts: optionHeaderLayouts(name),
    options: [
      { name: `${name}-len`, value: integer(0n, U32_MAX), syntax: 'bytes', invertible: true },
      { name: `${name}-opts`, value: typeLengthList, syntax: 'type[:length],...' },
    ],
    lower(options) {
      const list = given(options, `${name}-opts`, 'ranges')?.ranges.map(({ min, max }) => ({
        type: Number(min),
        ...(max === U8_MAX || min === 0n ? {} : { length: Number(max) }),
      }));
      const tests = headerLength(8, 8, given(options, `${name}-len`, 'integer'));
      const rest = list === undefined ? {} : { rest: { kind: 'options', options: list } as const };
      return lowered(extensionHeader({ header, least: 2, unreadable: 'evil', cut: 'evil', tests, ...rest }));
    },
  };
}

export const dst: MatchExtension = optionHeader('dst', 60, 'Length and options of a destination options header.');
export const hbh: MatchExtension = optionHeader('hbh', 0, 'Length and options of a hop-by-hop options header.');
