import { between, conditions, equals, invertIf, require } from '../../policy/expr.ts';
import { matchQuestion } from '../asked-match.ts';
import type { MatchExtension, ValueType } from '../contract.ts';
import { CONNBYTES as XT_CONNBYTES } from '../layouts/connection.ts';
import { always, lowered } from '../options.ts';
import { keyword } from '../values/keyword.ts';
import { U64_MAX, wrongKind } from '../values/numbers.ts';
import { integerRange } from '../values/range.ts';

const range = integerRange(U64_MAX);

/** `from[:to]`, where one number means "from it on". */
const amount: ValueType = {
  words: 1,
  parse(words, ctx) {
    const [text = ''] = words;
    return range.parse([text.includes(':') ? text : `${text}:`], ctx);
  },
  print(value) {
    if (value.kind !== 'range') return wrongKind(value);
    return [value.max === U64_MAX ? String(value.min) : `${value.min}:${value.max}`];
  },
};

/** xt_connbytes. */
export const connbytes: MatchExtension = {
  kind: 'match',
  name: 'connbytes',
  summary: 'Bytes or packets that a connection has carried so far, or the average size of its packets.',
  families: ['ipv4', 'ipv6'],
  conntrack: true,
  layouts: XT_CONNBYTES,
  options: [
    { name: 'connbytes', value: amount, syntax: 'from[:to]', invertible: true, mandatory: true },
    { name: 'connbytes-mode', value: keyword(['packets', 'bytes', 'avgpkt']), syntax: 'mode', mandatory: true },
    { name: 'connbytes-dir', value: keyword(['original', 'reply', 'both']), syntax: 'direction', mandatory: true },
  ],
  notes: [
    'The kernel counts packets and bytes of connections only where `net.netfilter.nf_conntrack_acct` is on; a rule switches it on.',
  ],
  normalise(options) {
    // iptables turns an inverted range round, which says nothing where both ends are one number.
    const use = options['connbytes'];
    if (use?.value.kind !== 'range' || use.value.min !== use.value.max) return options;
    return { ...options, connbytes: { ...use, invert: false } };
  },
  lower(options, ctx) {
    const { min, max, invert } = always(options, 'connbytes', 'range');
    const mode = always(options, 'connbytes-mode', 'text').text as keyof typeof FIELD;
    const direction = always(options, 'connbytes-dir', 'text').text as 'original' | 'reply' | 'both';
    // Loading the kernel's own match is what switches counting on; what it would say is read from the entry.
    ctx.ask(matchQuestion('connbytes', 0, 24, (info) => info.u64(8, U64_MAX)));
    const field = `ct.${FIELD[mode]}.${direction}` as const;
    return lowered(conditions(require(equals('ct.accounted', 1)), require(invertIf(invert, between(field, min, max)))));
  },
};

const FIELD = { packets: 'packets', bytes: 'bytes', avgpkt: 'average' } as const;
