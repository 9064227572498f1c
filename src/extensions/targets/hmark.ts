import { ADDRESS_BITS } from '../../packet/address.ts';
import type { OptionValue } from '../../rules/model.ts';
import type { OptionMap, OptionSpec, RuleContext, TargetExtension } from '../contract.ts';
import { HMARK as XT_HMARK } from '../layouts/rare-targets.ts';
import { given, refuse, withOption, without } from '../options.ts';
import { exactWordSet } from '../values/exact-word-set.ts';
import { hexDigits } from '../values/hex-digits.ts';
import { integer } from '../values/integer.ts';
import { U16_MAX, U32_MAX } from '../values/numbers.ts';
import { prefixLength } from '../values/prefix-length.ts';

const TARGET = 'target "HMARK"';
const PORT = { value: hexDigits(0n, U16_MAX, 4), syntax: '16 bits' } as const;
const SPI = { value: hexDigits(0n, U32_MAX, 8), syntax: '32 bits' } as const;
const PREFIX = { value: prefixLength, syntax: 'length' } as const;
const NUMBER = { value: integer(0n, U32_MAX), syntax: 'n' } as const;

/** The words of `--hmark-tuple` that stand for an option with all its bits. */
const TUPLE: Readonly<Record<string, string>> = {
  src: 'hmark-src-prefix',
  dst: 'hmark-dst-prefix',
  sport: 'hmark-sport-mask',
  dport: 'hmark-dport-mask',
  spi: 'hmark-spi-mask',
  proto: 'hmark-proto-mask',
};

/** What the hash is made of. */
const PARTS: readonly OptionSpec[] = [
  { name: 'hmark-src-prefix', ...PREFIX },
  { name: 'hmark-dst-prefix', ...PREFIX },
  { name: 'hmark-sport-mask', ...PORT },
  { name: 'hmark-dport-mask', ...PORT },
  { name: 'hmark-spi-mask', ...SPI },
  { name: 'hmark-sport', ...PORT },
  { name: 'hmark-dport', ...PORT },
  { name: 'hmark-spi', ...SPI },
  { name: 'hmark-proto-mask', value: hexDigits(0n, U16_MAX, 2), syntax: 'bits' },
];

/** xt_HMARK. Parsed, `--hmark-tuple` is left with `ct` at most; its other words have become options. */
export const hmark: TargetExtension = {
  kind: 'target',
  name: 'HMARK',
  summary: 'Sets the mark of the packet to a hash of its addresses and ports.',
  families: ['ipv4', 'ipv6'],
  effect: { writes: ['meta.mark'] },
  layouts: XT_HMARK,
  options: [
    ...PARTS,
    { name: 'hmark-rnd', value: hexDigits(0n, U32_MAX, 8), syntax: 'n', mandatory: true },
    { name: 'hmark-mod', value: integer(1n, U32_MAX), syntax: 'n', mandatory: true },
    { name: 'hmark-offset', ...NUMBER },
    {
      name: 'hmark-tuple',
      value: exactWordSet([...Object.keys(TUPLE), 'ct'], 'part of a packet'),
      syntax: 'src,dst,sport,dport,spi,proto,ct',
    },
  ],
  normalise: unfoldTuple,
  check(options, ctx) {
    const why = problem(options);
    return why === undefined ? [] : refuse(TARGET, why, ctx.span);
  },
};

function unfoldTuple(options: OptionMap, ctx: RuleContext): OptionMap {
  const tuple = given(options, 'hmark-tuple', 'set');
  if (tuple === undefined) return options;
  const words = tuple.members.filter((word) => word !== 'ct');
  // One that is given by itself too stays in the tuple, for check to see.
  const clash = words.filter((word) => options[TUPLE[word] ?? ''] !== undefined);
  const left = tuple.members.filter((word) => word === 'ct' || clash.includes(word));
  let result = without(options, 'hmark-tuple');
  for (const word of words) {
    const name = TUPLE[word] ?? '';
    if (result[name] === undefined) result = withOption(result, name, allBits(word, ctx));
  }
  return left.length === 0 ? result : withOption(result, 'hmark-tuple', { kind: 'set', members: left });
}

function allBits(word: string, ctx: RuleContext): OptionValue {
  if (word === 'src' || word === 'dst') return { kind: 'integer', value: BigInt(ADDRESS_BITS[ctx.family]) };
  return { kind: 'integer', value: word === 'spi' ? U32_MAX : U16_MAX };
}

function problem(options: OptionMap): string | undefined {
  const clash = given(options, 'hmark-tuple', 'set')?.members.find((word) => word !== 'ct');
  if (clash !== undefined) return `--hmark-tuple ${clash} and --${TUPLE[clash]} say the same twice`;
  const ports = options['hmark-sport-mask'] !== undefined || options['hmark-dport-mask'] !== undefined;
  if (options['hmark-spi-mask'] !== undefined && ports) return 'masks of ports and of the SPI exclude each other';
  const anything = PARTS.some(({ name }) => options[name] !== undefined) || options['hmark-tuple'] !== undefined;
  return anything ? undefined : 'it must be said what the hash is made of (--hmark-tuple)';
}
