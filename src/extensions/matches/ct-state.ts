/** The state of a connection as xt_conntrack and xt_state see it. */

import { all, any, anyBit, equals, FALSE, not, test } from '../../policy/expr.ts';
import type { Expr } from '../../policy/ir.ts';

/** enum ip_conntrack_info: what ct.info says of a packet that belongs to no entry because it is exempt from tracking. */
const UNTRACKED_INFO = 7;
/** IP_CT_IS_REPLY: ct.info modulo this is the state, whatever the direction. */
const IS_REPLY = 3;
const STATES = ['ESTABLISHED', 'RELATED', 'NEW'] as const;
const IPS_SRC_NAT = 0x10;
const IPS_DST_NAT = 0x20;

export const CT_PRESENT: Expr = equals('ct.present', 1);

/**
 * The packet's state is one of `members`. With an entry that is one of ESTABLISHED, RELATED, NEW, and SNAT, DNAT as
 * well where the entry is translated; without one it is UNTRACKED or INVALID.
 */
export function ctState(members: readonly string[]): Expr {
  const has = (member: string): boolean => members.includes(member);
  const infos = [0, 1, 2, 3, 4, 5, 6, 7].filter((info) => has(STATES[info % IS_REPLY] ?? ''));
  const ranges = infos.map((info) => ({ min: BigInt(info), max: BigInt(info) }));
  const nat = (has('SNAT') ? IPS_SRC_NAT : 0) | (has('DNAT') ? IPS_DST_NAT : 0);
  const untracked = equals('ct.info', UNTRACKED_INFO);
  return any(
    all(CT_PRESENT, any(test('ct.info', ranges), nat === 0 ? FALSE : anyBit('ct.status', nat))),
    all(not(CT_PRESENT), any(has('UNTRACKED') ? untracked : FALSE, has('INVALID') ? not(untracked) : FALSE)),
  );
}
