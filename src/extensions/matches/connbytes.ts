import type { MatchExtension, ValueType } from '../contract.ts';
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
  options: [
    { name: 'connbytes', value: amount, syntax: 'from[:to]', invertible: true, mandatory: true },
    { name: 'connbytes-mode', value: keyword(['packets', 'bytes', 'avgpkt']), syntax: 'mode', mandatory: true },
    { name: 'connbytes-dir', value: keyword(['original', 'reply', 'both']), syntax: 'direction', mandatory: true },
  ],
};
