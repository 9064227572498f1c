import { conditions, invertIf, require } from '../../policy/expr.ts';
import type { MatchExtension } from '../contract.ts';
import { DSCP as XT_DSCP } from '../layouts/packet.ts';
import { always, lowered, requireOneOf, withOption, without } from '../options.ts';
import { trafficClass } from '../traffic-class.ts';
import { choice } from '../values/choice.ts';
import { DSCP_CLASSES } from '../values/dscp-classes.ts';
import { hexByte } from '../values/hex-byte.ts';

/** xt_dscp. */
export const dscp: MatchExtension = {
  kind: 'match',
  name: 'dscp',
  summary: 'The differentiated services field, by number or class.',
  families: ['ipv4', 'ipv6'],
  layouts: XT_DSCP,
  options: [
    { name: 'dscp', value: hexByte(0x3fn), syntax: '0...63', invertible: true, excludes: ['dscp-class'] },
    {
      name: 'dscp-class',
      value: choice(DSCP_CLASSES, { what: 'DSCP class', ignoreCase: true }),
      syntax: 'class',
      invertible: true,
      excludes: ['dscp'],
    },
  ],
  normalise(options) {
    const named = options['dscp-class'];
    return named === undefined ? options : withOption(without(options, 'dscp-class'), 'dscp', named.value, named);
  },
  check: (options, ctx) => requireOneOf('match "dscp"', ['dscp'], options, ctx.span),
  lower(options, ctx) {
    const { value, invert } = always(options, 'dscp', 'integer');
    return lowered(conditions(require(invertIf(invert, trafficClass(ctx.family, value << 2n, 0xfcn)))));
  },
};
