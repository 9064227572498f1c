import type { MarkChange } from '../../policy/effect.ts';
import type { OptionMap, OptionSpec, TargetExtension } from '../contract.ts';
import { CONNMARK as XT_CONNMARK } from '../layouts/targets.ts';
import { given, refuse, withOption, without } from '../options.ts';
import { flag } from '../values/flag.ts';
import { integer } from '../values/integer.ts';
import { U32_MAX } from '../values/numbers.ts';
import { foldMark, markOptions, xmark } from './mark-values.ts';

const SET = ['set-xmark', 'set-mark', 'and-mark', 'or-mark', 'xor-mark'] as const;
const MODES = [...SET, 'save-mark', 'restore-mark'] as const;
const MASK = { value: integer(0n, U32_MAX, { base: 16 }), syntax: 'mask' } as const;
const SHIFT = { value: integer(0n, 31n), syntax: 'bits' } as const;

const OPTIONS: readonly OptionSpec[] = [
  ...markOptions(['save-mark', 'restore-mark']),
  { name: 'save-mark', value: flag, excludes: [...SET, 'restore-mark'] },
  { name: 'restore-mark', value: flag, excludes: [...SET, 'save-mark'] },
  { name: 'nfmask', excludes: ['mask'], ...MASK },
  { name: 'ctmask', excludes: ['mask'], ...MASK },
  { name: 'mask', excludes: ['nfmask', 'ctmask'], ...MASK },
  { name: 'left-shift-mark', excludes: ['right-shift-mark'], ...SHIFT },
  { name: 'right-shift-mark', excludes: ['left-shift-mark'], ...SHIFT },
];

/** xt_CONNMARK revision 2. */
export const connmark: TargetExtension = {
  kind: 'target',
  name: 'CONNMARK',
  summary: 'Changes the mark of the connection, or copies it from or to that of the packet.',
  families: ['ipv4', 'ipv6'],
  conntrack: true,
  effect: (options) => ({ change: connmarkChange(options) }),
  layouts: XT_CONNMARK,
  options: OPTIONS,
  normalise: (options) => withoutIdleShifts(foldMasks(foldMark(options))),
  check(options, ctx) {
    if (MODES.some((mode) => options[mode] !== undefined)) return [];
    return refuse('target "CONNMARK"', 'it must be said what to do', ctx.span);
  },
};

/** `mask` is both masks; a set has only the connection's, which takes the place of its own; absent is all ones. */
function foldMasks(options: OptionMap): OptionMap {
  const both = given(options, 'mask', 'integer')?.value;
  const ctmask = given(options, 'ctmask', 'integer')?.value ?? both;
  const nfmask = given(options, 'nfmask', 'integer')?.value ?? both;
  const rest = without(options, 'mask', 'nfmask', 'ctmask');
  const set = given(options, 'set-xmark', 'masked');
  if (set !== undefined) {
    if (ctmask === undefined) return rest;
    return withOption(rest, 'set-xmark', { kind: 'masked', value: set.value, mask: ctmask }, options['set-xmark']);
  }
  if (options['save-mark'] === undefined && options['restore-mark'] === undefined) return rest;
  const withNf = withOption(rest, 'nfmask', { kind: 'integer', value: nfmask ?? U32_MAX });
  return withOption(withNf, 'ctmask', { kind: 'integer', value: ctmask ?? U32_MAX });
}

function withoutIdleShifts(options: OptionMap): OptionMap {
  const idle = ['left-shift-mark', 'right-shift-mark'].filter((name) => given(options, name, 'integer')?.value === 0n);
  return idle.length === 0 ? options : without(options, ...idle);
}

/** The change as connmark_tg_shift makes it. */
function connmarkChange(options: OptionMap): MarkChange {
  const number = (name: string, absent: bigint): number => Number(given(options, name, 'integer')?.value ?? absent);
  const shift = number('left-shift-mark', 0n) - number('right-shift-mark', 0n);
  if (options['set-xmark'] !== undefined) return { kind: 'connmark', ...xmark(options), shift };
  const masks = { nfmask: number('nfmask', U32_MAX), ctmask: number('ctmask', U32_MAX), shift };
  return { kind: options['save-mark'] === undefined ? 'restore' : 'save', ...masks };
}
