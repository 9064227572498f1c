import { all, any, anyBit, conditions, equals, invertIf, masked, not, require, test } from '../../policy/expr.ts';
import type { FieldName } from '../../policy/fields.ts';
import type { Expr } from '../../policy/ir.ts';
import type { MatchExtension, OptionMap, OptionSpec } from '../contract.ts';
import { CONNTRACK as XT_CONNTRACK } from '../layouts/connection.ts';
import { given, lowered, requireOneOf } from '../options.ts';
import { inRange } from '../transport.ts';
import { choice } from '../values/choice.ts';
import { hostMask } from '../values/host-mask.ts';
import { conntrackPortRange } from '../values/port.ts';
import { conntrackProtocol } from '../values/protocol.ts';
import { u32Range } from '../values/range.ts';
import { wordSet } from '../values/word-set.ts';
import { CT_PRESENT, ctState } from './ct-state.ts';

const states = wordSet(['INVALID', 'NEW', 'RELATED', 'ESTABLISHED', 'UNTRACKED', 'SNAT', 'DNAT'], {
  what: 'connection state',
  abbreviations: true,
});
/** IPS_* bits of ct->status. NONE is no bit at all, so that alone it never matches. */
const STATUS_BITS = { EXPECTED: 1, SEEN_REPLY: 2, ASSURED: 4, CONFIRMED: 8 } as const;
const statuses = wordSet(['NONE', ...Object.keys(STATUS_BITS)], { what: 'connection status', abbreviations: true });
const directions = choice({ ORIGINAL: 0, REPLY: 1 }, { what: 'direction', ignoreCase: true });

const address = { value: hostMask, syntax: 'address[/mask]', invertible: true } as const;
const port = { value: conntrackPortRange, syntax: 'port[:port]', invertible: true } as const;

const OPTIONS: readonly OptionSpec[] = [
  { name: 'ctstate', value: states, syntax: 'STATE,...', invertible: true },
  { name: 'ctproto', value: conntrackProtocol, syntax: 'protocol', invertible: true },
  { name: 'ctorigsrc', ...address },
  { name: 'ctorigdst', ...address },
  { name: 'ctreplsrc', ...address },
  { name: 'ctrepldst', ...address },
  { name: 'ctorigsrcport', ...port },
  { name: 'ctorigdstport', ...port },
  { name: 'ctreplsrcport', ...port },
  { name: 'ctrepldstport', ...port },
  { name: 'ctstatus', value: statuses, syntax: 'STATUS,...', invertible: true },
  { name: 'ctexpire', value: u32Range, syntax: 'seconds[:seconds]', invertible: true },
  { name: 'ctdir', value: directions, syntax: 'ORIGINAL or REPLY' },
];

const ADDRESS_FIELDS = {
  ctorigsrc: 'ct.orig.saddr',
  ctorigdst: 'ct.orig.daddr',
  ctreplsrc: 'ct.repl.saddr',
  ctrepldst: 'ct.repl.daddr',
} as const satisfies Record<string, FieldName>;
const PORT_FIELDS = {
  ctorigsrcport: 'ct.orig.sport',
  ctorigdstport: 'ct.orig.dport',
  ctreplsrcport: 'ct.repl.sport',
  ctrepldstport: 'ct.repl.dport',
} as const satisfies Record<string, FieldName>;

/** xt_conntrack revision 3 (conntrack_mt). */
export const conntrack: MatchExtension = {
  kind: 'match',
  name: 'conntrack',
  conntrack: true,
  summary: 'What connection tracking knows of the connection that the packet belongs to.',
  notes: [
    'A packet without a connection is judged by `--ctstate` alone: if that holds, all other options are ignored; without `--ctstate` nothing matches it.',
    '`--ctstatus NONE` never matches.',
  ],
  families: ['ipv4', 'ipv6'],
  layouts: XT_CONNTRACK,
  options: OPTIONS,
  normalise(options) {
    const status = given(options, 'ctstatus', 'set');
    const use = options['ctstatus'];
    if (status === undefined || use === undefined || status.members.length < 2) return options;
    const members = status.members.filter((member) => member !== 'NONE');
    return { ...options, ctstatus: { ...use, value: { kind: 'set', members } } };
  },
  check(options, ctx) {
    const names = OPTIONS.map((option) => option.name);
    return requireOneOf('match "conntrack"', names, options, ctx.span);
  },
  lower(options) {
    const state = given(options, 'ctstate', 'set');
    const rest = entryCriteria(options);
    if (state === undefined) return lowered(conditions(require(CT_PRESENT), ...rest.map(require)));
    // Without an entry the state decides alone: the kernel returns before it looks at any other criterion.
    return lowered(
      conditions(require(invertIf(state.invert, ctState(state.members))), require(any(not(CT_PRESENT), all(...rest)))),
    );
  },
};

/** Everything that needs an entry, in the kernel's order. */
function entryCriteria(options: OptionMap): readonly Expr[] {
  const list: Expr[] = [];
  const direction = given(options, 'ctdir', 'integer');
  // CTINFO2DIR: from IP_CT_IS_REPLY (3) on a packet goes in the reply direction.
  if (direction !== undefined)
    list.push(test('ct.info', [direction.value === 0n ? { min: 0n, max: 2n } : { min: 3n, max: 7n }]));
  for (const [name, field] of Object.entries(ADDRESS_FIELDS)) {
    const use = given(options, name, 'masked');
    if (use !== undefined) list.push(invertIf(use.invert, masked(field, use.value & use.mask, use.mask)));
  }
  const protocol = given(options, 'ctproto', 'integer');
  if (protocol !== undefined) list.push(invertIf(protocol.invert, equals('ct.protonum', protocol.value)));
  for (const [name, field] of Object.entries(PORT_FIELDS)) {
    const use = given(options, name, 'range');
    if (use !== undefined) list.push(inRange(field, use));
  }
  const status = given(options, 'ctstatus', 'set');
  if (status !== undefined) list.push(invertIf(status.invert, anyBit('ct.status', statusBits(status.members))));
  const expire = given(options, 'ctexpire', 'range');
  if (expire !== undefined) list.push(inRange('ct.expires', expire));
  return list;
}

function statusBits(members: readonly string[]): number {
  return Object.entries(STATUS_BITS).reduce((bits, [name, bit]) => (members.includes(name) ? bits | bit : bits), 0);
}
