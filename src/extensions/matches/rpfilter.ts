import { conditions, hotdrop, not } from '../../policy/expr.ts';
import { asking } from '../asking.ts';
import type { MatchExtension } from '../contract.ts';
import { RPFILTER as XT_RPFILTER } from '../layouts/packet.ts';
import { lowered } from '../options.ts';
import { flag } from '../values/flag.ts';

/** In the order of their bits. */
const FLAGS = ['loose', 'validmark', 'accept-local', 'invert'] as const;

/** ipt_rpfilter and ip6t_rpfilter. */
export const rpfilter: MatchExtension = {
  kind: 'match',
  name: 'rpfilter',
  summary: 'A packet to the source would leave by the device that the packet came by.',
  notes: [
    'The kernel answers it only in a table called raw or mangle: there is one of that name in nftables while such rules run as programs.',
  ],
  families: ['ipv4', 'ipv6'],
  tables: ['raw', 'mangle'],
  hooks: ['PREROUTING'],
  layouts: XT_RPFILTER,
  options: FLAGS.map((name) => ({ name, value: flag })),
  // nftables' fib comes close, but takes broadcast sources for good (IPv4) and does not bind its look-up to the device (IPv6).
  lower(options, ctx) {
    const flags = FLAGS.reduce((bits, name, at) => (options[name] === undefined ? bits : bits | (1 << at)), 0);
    const put = ctx.ask({ kind: 'reversePathAsked' });
    const answer = asking(ctx, { kind: 'reversePath', flags });
    if (put === undefined || !answer.ok) return asking(ctx, { kind: 'reversePathAsked' });
    // It is asked in a table of its own; if somebody has removed that, nothing passes.
    return lowered(conditions(hotdrop(not(put)), ...answer.value));
  },
};
