import type { MatchExtension } from '../contract.ts';
import { flag } from '../values/flag.ts';
import { quotedNumber } from '../values/quoted-number.ts';

/** xt_connlabel. A connection has 128 labels. */
export const connlabel: MatchExtension = {
  kind: 'match',
  name: 'connlabel',
  summary: 'A label of the connection; with `--set` the label is put on it first.',
  notes: ['Labels go by number: the names of `/etc/xtables/connlabel.conf` are not looked up.'],
  families: ['ipv4', 'ipv6'],
  conntrack: true,
  options: [
    { name: 'label', value: quotedNumber(0n, 127n), syntax: '0...127', invertible: true, mandatory: true },
    { name: 'set', value: flag },
  ],
};
