import type { MatchExtension } from '../contract.ts';
import { NFACCT as XT_NFACCT } from '../layouts/packet.ts';
import { lowered } from '../options.ts';
import { askedHere, layoutQuestion } from '../staging.ts';
import { name } from '../values/name.ts';

/** xt_nfacct. */
export const nfacct: MatchExtension = {
  kind: 'match',
  name: 'nfacct',
  summary: 'Counts the packet for an accounting object; it always matches.',
  notes: ['Whether there is an object of that name is only known when the rule is loaded.'],
  families: ['ipv4', 'ipv6'],
  layouts: XT_NFACCT,
  options: [{ name: 'nfacct-name', value: name(31), syntax: 'name', mandatory: true }],
  suspends: () => true,
  lower: (options, ctx) => lowered([askedHere(ctx, layoutQuestion('nfacct', XT_NFACCT, options, ctx))]),
};
