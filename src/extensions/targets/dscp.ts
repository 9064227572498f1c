import type { OptionSpec, TargetExtension } from '../contract.ts';
import { DSCP as XT_DSCP } from '../layouts/rare-targets.ts';
import { requireOneOf, without } from '../options.ts';
import { choice } from '../values/choice.ts';
import { DSCP_CLASSES } from '../values/dscp-classes.ts';
import { hexByte } from '../values/hex-byte.ts';
import { TOS_WRITES } from './tos-writes.ts';

const OPTIONS: readonly OptionSpec[] = [
  { name: 'set-dscp', value: hexByte(0x3fn), syntax: '0...63', excludes: ['set-dscp-class'] },
  {
    name: 'set-dscp-class',
    value: choice(DSCP_CLASSES, { what: 'DSCP class', ignoreCase: true }),
    syntax: 'class',
    excludes: ['set-dscp'],
  },
];

/** xt_DSCP. */
export const dscp: TargetExtension = {
  kind: 'target',
  name: 'DSCP',
  summary: 'Changes the differentiated services field.',
  families: ['ipv4', 'ipv6'],
  effect: { writes: TOS_WRITES },
  tables: ['mangle'],
  layouts: XT_DSCP,
  options: OPTIONS,
  normalise(options) {
    const named = options['set-dscp-class'];
    return named === undefined ? options : { ...without(options, 'set-dscp-class'), 'set-dscp': named };
  },
  check: (options, ctx) => requireOneOf('target "DSCP"', ['set-dscp', 'set-dscp-class'], options, ctx.span),
};
