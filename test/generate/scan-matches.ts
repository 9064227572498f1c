/** Random `-m` parts for the matches that walk through packets. */

import fc from 'fast-check';
import type { MatchGenerator, RuleSite } from './matches.ts';

const isIpv6 = (site: RuleSite): boolean => site.universe.family === 'ipv6';

const not = fc.constantFrom('', '', '! ');
const byte = fc.oneof(fc.integer({ min: 0, max: 4 }), fc.integer({ min: 0, max: 255 }));
const length = fc.oneof(fc.constantFrom(8, 16, 24, 40, 9), fc.integer({ min: 0, max: 2056 })).map(String);

/** `a:b` with a <= b. */
function range(values: fc.Arbitrary<number>): fc.Arbitrary<string> {
  return fc.tuple(values, values).map(([a, b]) => `${Math.min(a, b)}:${Math.max(a, b)}`);
}

/** `--name value`, `! --name value`, or nothing. */
function perhaps(name: string, value: fc.Arbitrary<string>, inversion = not): fc.Arbitrary<string> {
  return fc.option(
    fc.tuple(inversion, value).map(([bang, text]) => `${bang}--${name} ${text}`.trimEnd()),
    { nil: '' },
  );
}

const flag = (name: string): fc.Arbitrary<string> => fc.constantFrom('', `--${name}`);

function words(...parts: readonly fc.Arbitrary<string>[]): fc.Arbitrary<string> {
  return fc.tuple(...parts).map((list) => list.filter((part) => part !== '').join(' '));
}

function options(name: 'hbh' | 'dst'): fc.Arbitrary<string> {
  const one = fc.oneof(
    fc.constantFrom('0', '1', '1:4', '5:2', '194:4'),
    fc.tuple(fc.integer({ min: 1, max: 255 }), byte).map(([type, size]) => `${type}:${size}`),
  );
  const list = fc.array(one, { minLength: 1, maxLength: 16 }).map((items) => items.join(','));
  return words(perhaps(`${name}-len`, length), perhaps(`${name}-opts`, list, fc.constant('')));
}

function addresses({ universe }: RuleSite): fc.Arbitrary<string> {
  return fc.array(fc.constantFrom(...universe.addresses), { minLength: 1, maxLength: 5 }).map((list) => list.join(','));
}

const HEADERS = ['hop-by-hop', 'ipv6-opts', 'ipv6-route', 'ipv6-frag', 'ah', 'esp', 'ipv6-nonxt', 'protocol'];
const letters = fc.string({ minLength: 1, maxLength: 12, unit: fc.constantFrom('a', 'b', 'A', 'é', '.', ' ') });
const hex = fc
  .array(byte, { minLength: 1, maxLength: 20 })
  .map((list) => `|${list.map((value) => value.toString(16).padStart(2, '0')).join('')}|`);

/** Programs of one load and one comparison. */
const classic = fc
  .tuple(fc.constantFrom(32, 40, 48), fc.integer({ min: 0, max: 90 }), fc.constantFrom(21, 37, 53, 69), byte)
  .map(([load, at, jump, value]) => `"4,${load} 0 0 ${at},${jump} 0 1 ${value},6 0 0 1,6 0 0 0"`);

export const SCAN_MATCHES = {
  ah: {
    fits: isIpv6,
    text: () => words(perhaps('ahspi', range(byte)), perhaps('ahlen', length), flag('ahres')),
  },
  frag: {
    fits: isIpv6,
    text: () =>
      words(
        perhaps('fragid', range(byte)),
        flag('fragres'),
        flag('fragfirst'),
        fc.constantFrom('', '--fragmore', '--fraglast'),
      ),
  },
  rt: {
    fits: isIpv6,
    text: (site) =>
      fc.oneof(
        words(perhaps('rt-type', byte.map(String)), perhaps('rt-segsleft', range(byte)), perhaps('rt-len', length)),
        words(fc.constant('--rt-type 0'), flag('rt-0-res')),
        fc
          .tuple(addresses(site), fc.constantFrom('', ' --rt-0-not-strict'))
          .map(([list, loose]) => `--rt-type 0 --rt-0-addrs ${list}${loose}`),
      ),
  },
  hbh: { fits: isIpv6, text: () => options('hbh') },
  dst: { fits: isIpv6, text: () => options('dst') },
  ipv6header: {
    fits: isIpv6,
    text: () =>
      fc
        .tuple(not, fc.subarray(HEADERS, { minLength: 1 }), fc.constantFrom('', ' --soft'))
        .map(([bang, list, soft]) => `${bang}--header ${list.join(',')}${soft}`),
  },
  srh: {
    fits: isIpv6,
    text: ({ universe }) =>
      words(
        perhaps('srh-segs-left-eq', byte.map(String)),
        perhaps('srh-last-entry-gt', byte.map(String)),
        perhaps('srh-tag', byte.map(String)),
        perhaps(
          'srh-lsid',
          fc.constantFrom(...universe.addresses).map((text) => `${text}/64`),
        ),
      ),
  },
  string: {
    text: () =>
      words(
        fc.oneof(
          fc.tuple(not, letters).map(([bang, text]) => `${bang}--string "${text}"`),
          fc.tuple(not, hex).map(([bang, text]) => `${bang}--hex-string "${text}"`),
        ),
        fc.constantFrom('--algo bm', '--algo kmp'),
        fc.constantFrom('', '--from 20', '--from 40 --to 70', '--to 60'),
      ),
  },
  bpf: { text: () => classic.map((program) => `--bytecode ${program}`) },
} as const satisfies Record<string, MatchGenerator>;
