/** The commands as bits, which may stand beside each other, and the options that each of them takes. */

/** In the order of CMD_* in xshared.h, which decides what messages call them. */
export const BITS = {
  insert: 1 << 0,
  delete: 1 << 1,
  deleteNumber: 1 << 2,
  replace: 1 << 3,
  append: 1 << 4,
  list: 1 << 5,
  flush: 1 << 6,
  zero: 1 << 7,
  newChain: 1 << 8,
  deleteChain: 1 << 9,
  policy: 1 << 10,
  rename: 1 << 11,
  listRules: 1 << 12,
  zeroNumber: 1 << 13,
  check: 1 << 14,
} as const;

export const ZEROS = BITS.zero | BITS.zeroNumber;
export const LISTS = BITS.list | BITS.listRules;
/** Commands that describe a rule. */
export const RULE_COMMANDS = BITS.append | BITS.delete | BITS.check | BITS.insert | BITS.replace;

const LETTERS = 'IDDRALFZNXPESZC';

/** The letter of the highest command in `bits`. */
export function letterOf(bits: number): string {
  return LETTERS[31 - Math.clz32(bits)] ?? '?';
}

/** Base options in the order in which they are checked; `0` is --line-numbers. */
const OPTIONS = 'nsdpjvxio0cf';

/** The options that each command refuses, by its place in BITS. */
const REFUSED = [
  'nx0',
  'nx0c',
  'nsdpjxio0cf',
  'nx0',
  'nx0',
  'sdpjiocf',
  'nsdpjxio0cf',
  'nsdpjxio0cf',
  'nsdpjxio0cf',
  'nsdpjxio0cf',
  'nsdpjxio0f',
  'nsdpjxio0cf',
  'nsdpjxio0cf',
  'nsdpjxio0cf',
  'nx0c',
];

/** The first option that none of the commands takes (generic_opt_check). */
export function illegalOption(bits: number, given: ReadonlySet<string>): string | undefined {
  const tables = REFUSED.filter((_, at) => (bits & (1 << at)) !== 0);
  return [...OPTIONS].find((letter) => given.has(letter) && tables.every((refused) => refused.includes(letter)));
}
