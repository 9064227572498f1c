import type { OptionSpec, TargetExtension } from '../contract.ts';
import { requireOneOf, without } from '../options.ts';
import { choice } from '../values/choice.ts';
import { hexByte } from '../values/hex-byte.ts';

/** Class selectors, best effort, assured and expedited forwarding (RFC 2474, 2597, 3246). */
const CLASSES = {
  CS0: 0x00,
  CS1: 0x08,
  CS2: 0x10,
  CS3: 0x18,
  CS4: 0x20,
  CS5: 0x28,
  CS6: 0x30,
  CS7: 0x38,
  BE: 0x00,
  AF11: 0x0a,
  AF12: 0x0c,
  AF13: 0x0e,
  AF21: 0x12,
  AF22: 0x14,
  AF23: 0x16,
  AF31: 0x1a,
  AF32: 0x1c,
  AF33: 0x1e,
  AF41: 0x22,
  AF42: 0x24,
  AF43: 0x26,
  EF: 0x2e,
} as const;

const OPTIONS: readonly OptionSpec[] = [
  { name: 'set-dscp', value: hexByte(0x3fn), syntax: '0...63', excludes: ['set-dscp-class'] },
  {
    name: 'set-dscp-class',
    value: choice(CLASSES, { what: 'DSCP class', ignoreCase: true }),
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
  tables: ['mangle'],
  options: OPTIONS,
  normalise(options) {
    const named = options['set-dscp-class'];
    return named === undefined ? options : { ...without(options, 'set-dscp-class'), 'set-dscp': named };
  },
  check: (options, ctx) => requireOneOf('target "DSCP"', ['set-dscp', 'set-dscp-class'], options, ctx.span),
};
