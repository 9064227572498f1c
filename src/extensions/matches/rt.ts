import type { MatchExtension, OptionMap } from '../contract.ts';
import { extensionHeader, headerIs, headerLength, hexAddress, inHeader } from '../extension-header.ts';
import { RT as XT_RT } from '../layouts/extension-headers.ts';
import { given, lowered, refuse } from '../options.ts';
import { addressList } from '../values/address-list.ts';
import { flag } from '../values/flag.ts';
import { integer } from '../values/integer.ts';
import { U32_MAX } from '../values/numbers.ts';
import { u32Range } from '../values/range.ts';
import { withoutIdleRange } from './idle-range.ts';

/** IP6T_RT_HOPS */
const MOST_ADDRESSES = 16;

/** ip6t_rt. */
export const rt: MatchExtension = {
  kind: 'match',
  name: 'rt',
  summary: 'The routing header of IPv6: type, segments left, length, and the addresses of type 0.',
  notes: [
    'Options on addresses and on the reserved field come after `--rt-type 0`, `--rt-0-not-strict` after the addresses.',
  ],
  families: ['ipv6'],
  layouts: XT_RT,
  options: [
    { name: 'rt-type', value: integer(0n, U32_MAX), syntax: 'n', invertible: true },
    { name: 'rt-segsleft', value: u32Range, syntax: 'n[:n]', invertible: true },
    { name: 'rt-len', value: integer(0n, U32_MAX), syntax: 'bytes', invertible: true },
    { name: 'rt-0-res', value: flag },
    { name: 'rt-0-addrs', value: addressList(MOST_ADDRESSES), syntax: 'address,...' },
    { name: 'rt-0-not-strict', value: flag },
  ],
  normalise: (options) => withoutIdleRange(options, 'rt-segsleft'),
  lower(options) {
    const type = given(options, 'rt-type', 'integer');
    const addresses = given(options, 'rt-0-addrs', 'ranges')?.ranges.map(({ min }) => hexAddress(min));
    const strict = options['rt-0-not-strict'] === undefined;
    const tests = [
      ...inHeader({ offset: 3, size: 1 }, given(options, 'rt-segsleft', 'range')),
      ...headerLength(8, 8, given(options, 'rt-len', 'integer')),
      ...(type === undefined ? [] : [headerIs({ offset: 2, size: 1 }, Number(type.value), type.invert)]),
      ...(options['rt-0-res'] === undefined ? [] : [headerIs({ offset: 4, size: 4 }, 0)]),
    ];
    const rest = addresses === undefined ? {} : { rest: { kind: 'addresses', addresses, strict } as const };
    return lowered(extensionHeader({ header: 43, least: 4, unreadable: 'evil', cut: 'evil', tests, ...rest }));
  },
  check(options, ctx) {
    const why = problem(options);
    return why === undefined ? [] : refuse('match "rt"', why, ctx.span);
  },
};

function problem(options: OptionMap): string | undefined {
  const type = given(options, 'rt-type', 'integer');
  const zero = type !== undefined && type.value === 0n && !type.invert;
  for (const name of ['rt-0-res', 'rt-0-addrs']) {
    if (options[name] === undefined) continue;
    if (!zero || isBefore(options, name, 'rt-type')) return `--rt-type 0 must stand before --${name}`;
  }
  if (options['rt-0-not-strict'] === undefined) return undefined;
  const addresses = options['rt-0-addrs'] !== undefined && !isBefore(options, 'rt-0-not-strict', 'rt-0-addrs');
  return addresses ? undefined : '--rt-0-addrs must stand before --rt-0-not-strict';
}

function isBefore(options: OptionMap, first: string, second: string): boolean {
  const a = options[first]?.span?.start;
  const b = options[second]?.span?.start;
  return a !== undefined && b !== undefined && a < b;
}
