import { conditions, equals, invertIf, require } from '../../policy/expr.ts';
import type { MatchExtension } from '../contract.ts';
import { cannot, given, lowered, requireOneOf } from '../options.ts';
import { integer } from '../values/integer.ts';
import { U32_MAX } from '../values/numbers.ts';
import { text } from '../values/text.ts';

/** xt_cgroup revision 2. Paths have at most XT_CGROUP_PATH_MAX - 1 bytes. */
export const cgroup: MatchExtension = {
  kind: 'match',
  name: 'cgroup',
  summary: 'The control group of the socket: a path (version 2) or a class (net_cls of version 1).',
  families: ['ipv4', 'ipv6'],
  hooks: ['INPUT', 'OUTPUT', 'POSTROUTING'],
  options: [
    { name: 'path', value: text(511), syntax: 'path', invertible: true, excludes: ['cgroup'] },
    { name: 'cgroup', value: integer(0n, U32_MAX), syntax: 'class', invertible: true, excludes: ['path'] },
  ],
  check: (options, ctx) => requireOneOf('match "cgroup"', ['path', 'cgroup'], options, ctx.span),
  lower(options) {
    const use = given(options, 'cgroup', 'integer');
    if (use === undefined) return cannot('a control group is known to the kernel by its place, not by its path');
    const known = require(equals('socket.full', 1));
    return lowered(conditions(known, require(invertIf(use.invert, equals('socket.classid', use.value)))));
  },
};
