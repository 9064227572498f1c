import type { OptionUse } from '../../rules/model.ts';
import type { MatchExtension, OptionMap, OptionSpec } from '../contract.ts';
import { hostMaskFull } from '../values/host-mask.ts';
import { integer } from '../values/integer.ts';
import { U8_MAX, U16_MAX } from '../values/numbers.ts';

const COMPARED = ['hdr-len', 'segs-left', 'last-entry'] as const;
const HOW = ['eq', 'gt', 'lt'] as const;

const BYTE = { value: integer(0n, U8_MAX), syntax: 'n', invertible: true } as const;
const SID = { value: hostMaskFull, syntax: 'address[/mask]', invertible: true } as const;

const OPTIONS: readonly OptionSpec[] = [
  { name: 'srh-next-hdr', ...BYTE },
  ...COMPARED.flatMap((field) => HOW.map((how) => ({ name: `srh-${field}-${how}`, ...BYTE }))),
  { name: 'srh-tag', value: integer(0n, U16_MAX), syntax: 'n', invertible: true },
  { name: 'srh-psid', ...SID },
  { name: 'srh-nsid', ...SID },
  { name: 'srh-lsid', ...SID },
];

/** ip6t_srh revision 1. */
export const srh: MatchExtension = {
  kind: 'match',
  name: 'srh',
  summary: 'The segment routing header of IPv6.',
  notes: ['A field is compared with one number only: of `-eq`, `-gt` and `-lt` the number given last counts for all.'],
  families: ['ipv6'],
  options: OPTIONS,
  normalise: (options) => COMPARED.reduce(withLastNumber, options),
};

function withLastNumber(options: OptionMap, field: (typeof COMPARED)[number]): OptionMap {
  const uses = HOW.flatMap((how) => {
    const use = options[`srh-${field}-${how}`];
    return use === undefined ? [] : [{ name: `srh-${field}-${how}`, use }];
  });
  const last = uses.reduce<OptionUse | undefined>(
    (latest, { use }) => ((latest?.span?.start ?? -1) > (use.span?.start ?? -1) ? latest : use),
    undefined,
  );
  if (last === undefined) return options;
  return { ...options, ...Object.fromEntries(uses.map(({ name, use }) => [name, { ...use, value: last.value }])) };
}
