import { all, any, between, conditions, equals, FALSE, invertIf, require, TRUE } from '../../policy/expr.ts';
import type { FieldName } from '../../policy/fields.ts';
import type { Expr } from '../../policy/ir.ts';
import type { Question } from '../../policy/question.ts';
import { matchQuestion } from '../asked-match.ts';
import { asking } from '../asking.ts';
import type { MatchExtension, OptionMap } from '../contract.ts';
import { OWNER as XT_OWNER } from '../layouts/packet.ts';
import { given, lowered, refuse, requireOneOf } from '../options.ts';
import { flag } from '../values/flag.ts';
import { idRange } from '../values/id-range.ts';

/** Values of the field socket.state. */
const NO_SOCKET = 0;
const SOCKET_WITHOUT_FILE = 1;
const SOCKET_WITH_FILE = 2;

/** xt_owner revision 1: the socket that sent the packet, and the one who opened it. */
export const owner: MatchExtension = {
  kind: 'match',
  name: 'owner',
  summary: 'The socket that sent the packet, and its owner.',
  notes: ['With `--suppl-groups` the kernel is asked about every packet just before the rules run.'],
  families: ['ipv4', 'ipv6'],
  hooks: ['OUTPUT', 'POSTROUTING'],
  layouts: XT_OWNER,
  options: [
    { name: 'socket-exists', value: flag, invertible: true },
    { name: 'uid-owner', value: idRange('user'), syntax: 'user or uid[-uid]', invertible: true },
    { name: 'gid-owner', value: idRange('group'), syntax: 'group or gid[-gid]', invertible: true },
    { name: 'suppl-groups', value: flag, requires: ['gid-owner'] },
  ],
  check(options, ctx) {
    const missing = requireOneOf(MATCH, ['uid-owner', 'gid-owner', 'socket-exists'], options, ctx.span);
    const why = problem(options);
    return why === undefined ? missing : refuse(MATCH, why, ctx.span);
  },
  lower(options, ctx) {
    if (options['suppl-groups'] !== undefined) return asking(ctx, ownerQuestion(options));
    return lowered(conditions(require(ownerExpr(options))));
  },
};

const MATCH = 'match "owner"';

function problem(options: OptionMap): string | undefined {
  for (const name of ['uid-owner', 'gid-owner']) {
    const range = given(options, name, 'range');
    if (range !== undefined && range.min > range.max) return `the range of --${name} ends before it begins`;
  }
  // iptables reads --suppl-groups as an addition to a --gid-owner that it has seen already.
  const group = options['gid-owner']?.span;
  const supplementary = options['suppl-groups']?.span;
  if (group !== undefined && supplementary !== undefined && supplementary.start < group.start)
    return '--suppl-groups must come after --gid-owner';
  return undefined;
}

/**
 * owner_mt. Without a socket, or a socket without a file, nothing is known: that is true for a criterion exactly when it
 * is inverted.
 */
function ownerExpr(options: OptionMap): Expr {
  const socket = given(options, 'socket-exists', 'flag');
  const socketHolds = socket?.invert === true ? FALSE : TRUE;
  const user = idTest(options, 'uid-owner', 'socket.uid');
  const group = idTest(options, 'gid-owner', 'socket.gid');
  const unknownIds = all(user.unknown, group.unknown);
  return any(
    all(equals('socket.state', NO_SOCKET), socket === undefined || socket.invert ? TRUE : FALSE, unknownIds),
    all(equals('socket.state', SOCKET_WITHOUT_FILE), socketHolds, unknownIds),
    all(equals('socket.state', SOCKET_WITH_FILE), socketHolds, user.known, group.known),
  );
}

interface IdTest {
  /** What holds of a file's owner, and what holds when there is no file. */
  readonly known: Expr;
  readonly unknown: Expr;
}

function idTest(options: OptionMap, name: string, field: FieldName): IdTest {
  const range = given(options, name, 'range');
  if (range === undefined) return { known: TRUE, unknown: TRUE };
  return {
    known: invertIf(range.invert, between(field, range.min, range.max)),
    unknown: range.invert ? TRUE : FALSE,
  };
}

/** include/uapi/linux/netfilter/xt_owner.h */
const FLAG = { UID: 1, GID: 2, SOCKET: 4, SUPPL_GROUPS: 8 } as const;

/** struct xt_owner_match_info: uid_min, uid_max, gid_min, gid_max u32, match u8, invert u8. */
function ownerQuestion(options: OptionMap): Question {
  return matchQuestion('owner', 1, 20, (info) => {
    let asked = FLAG.SUPPL_GROUPS as number;
    let inverted = 0;
    const ask = (flag: number, invert: boolean): void => {
      asked |= flag;
      if (invert) inverted |= flag;
    };
    for (const [name, flag, at] of [
      ['uid-owner', FLAG.UID, 0],
      ['gid-owner', FLAG.GID, 8],
    ] as const) {
      const range = given(options, name, 'range');
      if (range === undefined) continue;
      ask(flag, range.invert);
      info.u32(at, range.min);
      info.u32(at + 4, range.max);
    }
    const socket = given(options, 'socket-exists', 'flag');
    if (socket !== undefined) ask(FLAG.SOCKET, socket.invert);
    info.u8(16, asked);
    info.u8(17, inverted);
  });
}
