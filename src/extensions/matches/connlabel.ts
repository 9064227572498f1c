import { anyBit, conditions, invertIf, require } from '../../policy/expr.ts';
import { matchQuestion } from '../asked-match.ts';
import type { MatchExtension, OptionMap } from '../contract.ts';
import { CONNLABEL as XT_CONNLABEL } from '../layouts/connection.ts';
import { always, lowered } from '../options.ts';
import { askedHere, layoutQuestion } from '../staging.ts';
import { flag } from '../values/flag.ts';
import { quotedNumber } from '../values/quoted-number.ts';

/** Bits of one word of labels. */
const WORD = 64n;

/** xt_connlabel. A connection has 128 labels. */
export const connlabel: MatchExtension = {
  kind: 'match',
  name: 'connlabel',
  summary: 'A label of the connection; with `--set` the label is put on it first.',
  notes: ['Labels go by number: the names of `/etc/xtables/connlabel.conf` are not looked up.'],
  families: ['ipv4', 'ipv6'],
  conntrack: true,
  layouts: XT_CONNLABEL,
  options: [
    { name: 'label', value: quotedNumber(0n, 127n), syntax: '0...127', invertible: true, mandatory: true },
    { name: 'set', value: flag },
  ],
  suspends: isSetting,
  lower(options, ctx) {
    if (isSetting(options)) return lowered([askedHere(ctx, layoutQuestion('connlabel', XT_CONNLABEL, options, ctx))]);
    const { value, invert } = always(options, 'label', 'integer');
    // Loading the kernel's own match makes room for labels in new connections; what it would say is read from the entry.
    ctx.ask(matchQuestion('connlabel', 0, 4, (info) => info.u16(0, value)));
    const labels = value < WORD ? anyBit('ct.labels.low', 1n << value) : anyBit('ct.labels.high', 1n << (value - WORD));
    return lowered(conditions(require(invertIf(invert, labels))));
  },
};

/** The kernel's match puts the label on the connection. */
function isSetting(options: OptionMap): boolean {
  return options['set'] !== undefined;
}
