import type { OptionMap, TargetExtension } from '../contract.ts';
import { TOS as XT_TOS } from '../layouts/rare-targets.ts';
import { given, requireOneOf, withOption, without } from '../options.ts';
import { integer } from '../values/integer.ts';
import { U8_MAX } from '../values/numbers.ts';
import { tosMask } from '../values/tos.ts';
import { TOS_WRITES } from './tos-writes.ts';

const NAMES = ['set-tos', 'and-tos', 'or-tos', 'xor-tos'] as const;

/** xt_TOS: tos = (tos & ~mask) ^ value, spelled in four ways. */
export const tos: TargetExtension = {
  kind: 'target',
  name: 'TOS',
  summary: 'Changes the type of service.',
  families: ['ipv4', 'ipv6'],
  effect: { writes: TOS_WRITES },
  tables: ['mangle'],
  layouts: XT_TOS,
  options: NAMES.map((name) => ({
    name,
    value: name === 'set-tos' ? tosMask : integer(0n, U8_MAX),
    syntax: name === 'set-tos' ? 'value[/mask] or name' : 'bits',
    excludes: NAMES.filter((other) => other !== name),
  })),
  normalise(options) {
    const name = NAMES.find((spelling) => options[spelling] !== undefined);
    if (name === undefined || name === 'set-tos') return options;
    return withOption(without(options, name), 'set-tos', { kind: 'masked', ...asSet(name, options) }, options[name]);
  },
  check: (options, ctx) => requireOneOf('target "TOS"', NAMES, options, ctx.span),
};

function asSet(name: 'and-tos' | 'or-tos' | 'xor-tos', options: OptionMap): { value: bigint; mask: bigint } {
  const bits = given(options, name, 'integer')?.value ?? 0n;
  switch (name) {
    case 'and-tos':
      return { value: 0n, mask: U8_MAX & ~bits };
    case 'or-tos':
      return { value: bits, mask: bits };
    case 'xor-tos':
      return { value: bits, mask: 0n };
  }
}
