import { conditions, equals, invertIf, require } from '../../policy/expr.ts';
import type { MatchExtension } from '../contract.ts';
import { CPU as XT_CPU } from '../layouts/packet.ts';
import { always, lowered } from '../options.ts';
import { integer } from '../values/integer.ts';
import { U32_MAX } from '../values/numbers.ts';

/** xt_cpu. */
export const cpu: MatchExtension = {
  kind: 'match',
  name: 'cpu',
  summary: 'The processor that handles the packet.',
  families: ['ipv4', 'ipv6'],
  layouts: XT_CPU,
  options: [{ name: 'cpu', value: integer(0n, U32_MAX), syntax: 'n', invertible: true, mandatory: true }],
  lower(options) {
    const { value, invert } = always(options, 'cpu', 'integer');
    return lowered(conditions(require(invertIf(invert, equals('meta.cpu', value)))));
  },
};
