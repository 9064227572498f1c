import { all, any, between, conditions, equals, FALSE, invertIf, require, TRUE } from '../../policy/expr.ts';
import type { FieldName } from '../../policy/fields.ts';
import type { Expr } from '../../policy/ir.ts';
import type { MatchExtension, OptionMap } from '../contract.ts';
import { cannot, given, lowered, refuse, requireOneOf } from '../options.ts';
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
  notes: ['`--suppl-groups` cannot be run as BPF.'],
  families: ['ipv4', 'ipv6'],
  hooks: ['OUTPUT', 'POSTROUTING'],
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
  lower(options) {
    if (options['suppl-groups'] !== undefined)
      return cannot('the supplementary groups of the owner of a socket cannot be read from a netfilter program');
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
