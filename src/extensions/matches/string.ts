import { conditions, FALSE, invertIf, require } from '../../policy/expr.ts';
import { AMBIGUOUS, capital, type TextScan } from '../../policy/scan-text.ts';
import type { MatchExtension, OptionMap, OptionSpec } from '../contract.ts';
import { STRING as XT_STRING } from '../layouts/programs.ts';
import { always, cannot, given, lowered, printOptions, refuse, requireOneOf, withOption, without } from '../options.ts';
import { formatPattern, hexPattern, plainPattern } from '../values/byte-pattern.ts';
import { flag } from '../values/flag.ts';
import { integer } from '../values/integer.ts';
import { keyword } from '../values/keyword.ts';
import { U16_MAX } from '../values/numbers.ts';

const MATCH = 'match "string"';
const OFFSET = { value: integer(0n, U16_MAX), syntax: 'offset' } as const;

const OPTIONS: readonly OptionSpec[] = [
  { name: 'string', value: plainPattern, syntax: 'text', invertible: true, excludes: ['hex-string'] },
  { name: 'hex-string', value: hexPattern, syntax: 'text|hex|', invertible: true, excludes: ['string'] },
  { name: 'algo', value: keyword(['bm', 'kmp']), syntax: 'bm or kmp', mandatory: true },
  { name: 'from', default: { kind: 'integer', value: 0n }, ...OFFSET },
  { name: 'to', default: { kind: 'integer', value: U16_MAX }, ...OFFSET },
  { name: 'icase', value: flag },
];

/** xt_string revision 1. Parsed, the pattern is always the option `string`, in bytes. */
export const string: MatchExtension = {
  kind: 'match',
  name: 'string',
  summary: 'Looks for bytes in a packet.',
  families: ['ipv4', 'ipv6'],
  layouts: XT_STRING,
  options: OPTIONS,
  normalise(options) {
    const hex = options['hex-string'];
    return hex === undefined ? options : withOption(without(options, 'hex-string'), 'string', hex.value, hex);
  },
  lower(options) {
    const { bytes, invert } = always(options, 'string', 'bytes');
    const from = Number(always(options, 'from', 'integer').value);
    const to = Number(always(options, 'to', 'integer').value);
    const ignoreCase = options['icase'] !== undefined;
    if (ignoreCase && bytes.some((byte) => AMBIGUOUS.includes(byte)))
      return cannot('it ignores the case of 0xbf, 0xdf or 0xff, which are no pairs of letters');
    const pattern = bytes.map((byte) => hexByte(ignoreCase ? capital(byte) : byte)).join('');
    const acrossPieces = always(options, 'algo', 'text').text === 'kmp';
    const scan: TextScan = { kind: 'text', pattern, ignoreCase, from, to, acrossPieces };
    const found = to - from < bytes.length ? FALSE : Object.freeze({ kind: 'scan', scan, outcome: 'yes' } as const);
    return lowered(conditions(require(invertIf(invert, found))));
  },
  check(options, ctx) {
    const missing = requireOneOf(MATCH, ['string', 'hex-string'], options, ctx.span);
    if (missing.length > 0) return missing;
    const backwards = always(options, 'from', 'integer').value > always(options, 'to', 'integer').value;
    return backwards ? refuse(MATCH, '--to is before --from', ctx.span) : [];
  },
  print(options, ctx) {
    const pattern = always(options, 'string', 'bytes');
    const { hex, text } = formatPattern(pattern.bytes);
    const invert = pattern.invert ? ['!'] : [];
    return [...invert, hex ? '--hex-string' : '--string', text, ...printOptions(OPTIONS, rest(options), ctx)];
  },
};

function hexByte(byte: number): string {
  return byte.toString(16).padStart(2, '0');
}

function rest(options: OptionMap): OptionMap {
  const idle = [
    ...(given(options, 'from', 'integer')?.value === 0n ? ['from'] : []),
    ...(given(options, 'to', 'integer')?.value === U16_MAX ? ['to'] : []),
  ];
  return without(options, 'string', ...idle);
}
