/** How targets that change the TCP header see the packets that have none, or a broken one. */

import type { Family } from '../../packet/netfilter.ts';
import { all, any, between, equals, not } from '../../policy/expr.ts';
import type { Expr } from '../../policy/ir.ts';
import { fragmentOffset } from '../transport.ts';

const HEADER = 20;
const LONGEST = 60;

/** xt_TCPOPTSTRIP and xt_TCPMSS drop what is no later fragment and has not the header that it says it has. */
export function brokenHeader(family: Family): Expr {
  const short = between('transport.length', 0, HEADER - 1);
  const lying = between('tcp.headerLength', 0, HEADER - 1);
  return all(equals(fragmentOffset(family), 0), any(short, lying, not({ kind: 'tcpOptionsReadable' })));
}

/** xt_TCPMSS adds the option where there is none, nothing follows the header, and there is room in it. */
export function lacksMss(family: Family): Expr {
  const lengths = Array.from({ length: (LONGEST - HEADER) / 4 }, (_, index) => HEADER + 4 * index);
  const bare = lengths.map((length) => all(equals('tcp.headerLength', length), equals('transport.length', length)));
  const ranges = [{ min: 0, max: 0xffff }];
  const present: Expr = { kind: 'scan', outcome: 'yes', scan: { kind: 'tcpMss', ranges } };
  return all(equals(fragmentOffset(family), 0), any(...bare), not(present));
}
