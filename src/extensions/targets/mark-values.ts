/** The ways in which MARK and CONNMARK spell one thing: mark = (mark & ~mask) ^ value. */

import type { OptionMap, OptionSpec } from '../contract.ts';
import { always, given, withOption, without } from '../options.ts';
import { integer } from '../values/integer.ts';
import { masked } from '../values/masked.ts';
import { U32_MAX } from '../values/numbers.ts';

const SPELLINGS = ['set-xmark', 'set-mark', 'and-mark', 'or-mark', 'xor-mark'] as const;

/** The five options; each excludes the other four and `others`. Only set-xmark is left after `foldMark`. */
export function markOptions(others: readonly string[] = []): readonly OptionSpec[] {
  return SPELLINGS.map((name) => {
    const pair = name === 'set-xmark' || name === 'set-mark';
    return {
      name,
      value: pair ? masked(U32_MAX, { always: true }) : integer(0n, U32_MAX),
      syntax: pair ? 'value[/mask]' : 'bits',
      excludes: [...SPELLINGS.filter((other) => other !== name), ...others],
    };
  });
}

/** Rewrites whichever of the five options was given as set-xmark. */
export function foldMark(options: OptionMap): OptionMap {
  const name = SPELLINGS.find((spelling) => options[spelling] !== undefined);
  if (name === undefined || name === 'set-xmark') return options;
  const { value, mask } = asXmark(name, options);
  return withOption(without(options, name), 'set-xmark', { kind: 'masked', value, mask }, options[name]);
}

function asXmark(name: 'set-mark' | 'and-mark' | 'or-mark' | 'xor-mark', options: OptionMap) {
  if (name === 'set-mark') {
    const { value = 0n, mask = 0n } = given(options, name, 'masked') ?? {};
    return { value, mask: mask | value };
  }
  const { value: bits = 0n } = given(options, name, 'integer') ?? {};
  switch (name) {
    case 'and-mark':
      return { value: 0n, mask: U32_MAX & ~bits };
    case 'or-mark':
      return { value: bits, mask: bits };
    case 'xor-mark':
      return { value: bits, mask: 0n };
  }
}

/** What set-xmark says, as numbers: mark = (mark & ~mask) ^ value. */
export function xmark(options: OptionMap): { readonly mask: number; readonly value: number } {
  const { value, mask } = always(options, 'set-xmark', 'masked');
  return { mask: Number(mask), value: Number(value) };
}
