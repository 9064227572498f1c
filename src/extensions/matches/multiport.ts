import { any, conditions, FALSE, invertIf, require, test } from '../../policy/expr.ts';
import type { Expr } from '../../policy/ir.ts';
import type { MatchExtension } from '../contract.ts';
import { MULTIPORT as XT_MULTIPORT } from '../layouts/transport.ts';
import { given, lowered, requireOneOf } from '../options.ts';
import { transportHeader } from '../transport.ts';
import { portList } from '../values/port.ts';

/** The two ports are all that has to be readable. */
const PORTS = 4;
const LISTS = ['sports', 'dports', 'ports'] as const;
const LIST = { value: portList, syntax: 'port[:port],...', invertible: true } as const;

/** xt_multiport revision 1: a list of ports and ranges against source, destination or either. */
export const multiport: MatchExtension = {
  kind: 'match',
  name: 'multiport',
  summary: 'Up to fifteen ports (a range counts as two) of TCP, UDP, UDP-Lite, SCTP or DCCP.',
  families: ['ipv4', 'ipv6'],
  protocols: [6, 17, 33, 132, 136],
  layouts: XT_MULTIPORT,
  options: [
    { name: 'sports', aliases: ['source-ports'], excludes: ['dports', 'ports'], ...LIST },
    { name: 'dports', aliases: ['destination-ports'], excludes: ['sports', 'ports'], ...LIST },
    { name: 'ports', excludes: ['sports', 'dports'], ...LIST },
  ],
  check: (options, ctx) => requireOneOf('match "multiport"', LISTS, options, ctx.span),
  lower(options, ctx) {
    let matched: Expr = FALSE;
    for (const name of LISTS) {
      const list = given(options, name, 'ranges');
      if (list === undefined) continue;
      const source = name === 'dports' ? FALSE : test('transport.sport', list.ranges);
      const destination = name === 'sports' ? FALSE : test('transport.dport', list.ranges);
      matched = invertIf(list.invert, any(source, destination));
    }
    return lowered(conditions(...transportHeader(ctx.family, PORTS), require(matched)));
  },
};
