import { conditions, equals, invertIf, require } from '../../policy/expr.ts';
import type { Question } from '../../policy/question.ts';
import { matchQuestion } from '../asked-match.ts';
import { asking } from '../asking.ts';
import type { MatchExtension, OptionMap } from '../contract.ts';
import { CGROUP as XT_CGROUP } from '../layouts/packet.ts';
import { always, given, lowered, requireOneOf } from '../options.ts';
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
  layouts: XT_CGROUP,
  options: [
    { name: 'path', value: text(511), syntax: 'path', invertible: true, excludes: ['cgroup'] },
    { name: 'cgroup', value: integer(0n, U32_MAX), syntax: 'class', invertible: true, excludes: ['path'] },
  ],
  check: (options, ctx) => requireOneOf('match "cgroup"', ['path', 'cgroup'], options, ctx.span),
  lower(options, ctx) {
    const use = given(options, 'cgroup', 'integer');
    if (use === undefined) return asking(ctx, pathQuestion(options));
    const known = require(equals('socket.full', 1));
    return lowered(conditions(known, require(invertIf(use.invert, equals('socket.classid', use.value)))));
  },
};

/** XT_CGROUP_PATH_MAX */
const PATH_BYTES = 512;

/** struct xt_cgroup_info_v2: has_path, has_classid, invert_path, invert_classid, path[512] from 4 on, a pointer of the kernel's own. */
function pathQuestion(options: OptionMap): Question {
  const { text: path, invert } = always(options, 'path', 'text');
  return matchQuestion('cgroup', 2, 4 + PATH_BYTES + 4 + 8, (info) => {
    info.u8(0, 1);
    info.u8(2, invert ? 1 : 0);
    info.bytes(4, new TextEncoder().encode(path).subarray(0, PATH_BYTES - 1));
  });
}
