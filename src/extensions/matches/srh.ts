import type { HeaderTest } from '../../policy/scan.ts';
import type { OptionUse } from '../../rules/model.ts';
import type { MatchExtension, OptionMap, OptionSpec } from '../contract.ts';
import { extensionHeader, headerIs, headerTest, hexAddress } from '../extension-header.ts';
import { SRH as XT_SRH } from '../layouts/extension-headers.ts';
import { given, lowered } from '../options.ts';
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
  layouts: XT_SRH,
  options: OPTIONS,
  normalise: (options) => COMPARED.reduce(withLastNumber, options),
  lower(options) {
    const tests = [
      headerIs({ offset: 2, size: 1 }, TYPE),
      ...equality(options, 'srh-next-hdr', { offset: 0, size: 1 }),
      ...COMPARED.flatMap((field) => comparisons(options, field)),
      ...tagTest(options),
    ];
    const segments = SEGMENTS.flatMap(([name, segment]) => {
      const use = given(options, name, 'masked');
      if (use === undefined) return [];
      const address = hexAddress(use.value & use.mask);
      return [{ segment, address, mask: hexAddress(use.mask), invert: use.invert }];
    });
    const rest = { kind: 'segments', tests: segments } as const;
    return lowered(extensionHeader({ header: 43, least: 8, unreadable: 'no', cut: 'no', tests, rest }));
  },
};

/** Of a segment routing header. */
const TYPE = 4;
/** Where the compared bytes stand. */
const PLACES = { 'hdr-len': 1, 'segs-left': 3, 'last-entry': 4 } as const;
const SEGMENTS = [
  ['srh-psid', 'previous'],
  ['srh-nsid', 'next'],
  ['srh-lsid', 'last'],
] as const;

function equality(options: OptionMap, name: string, place: Pick<HeaderTest, 'offset' | 'size'>): readonly HeaderTest[] {
  const use = given(options, name, 'integer');
  return use === undefined ? [] : [headerIs(place, Number(use.value), use.invert)];
}

/** The kernel compares the field as it lies in memory with the number as it was typed: on its little-endian machines the bytes are exchanged. */
function tagTest(options: OptionMap): readonly HeaderTest[] {
  const use = given(options, 'srh-tag', 'integer');
  if (use === undefined) return [];
  const typed = Number(use.value);
  return [headerIs({ offset: 6, size: 2 }, ((typed & 0xff) << 8) | (typed >> 8), use.invert)];
}

function comparisons(options: OptionMap, field: (typeof COMPARED)[number]): readonly HeaderTest[] {
  const place = { offset: PLACES[field], size: 1 } as const;
  return HOW.flatMap((how) => {
    const use = given(options, `srh-${field}-${how}`, 'integer');
    if (use === undefined) return [];
    const { value, invert } = use;
    const range = {
      eq: { min: value, max: value },
      gt: { min: value + 1n, max: U8_MAX },
      lt: { min: 0n, max: value - 1n },
    };
    return [headerTest(place, [range[how]], invert)];
  });
}

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
