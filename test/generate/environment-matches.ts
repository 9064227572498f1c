/** Random `-m` parts of rules about what surrounds a packet. */

import fc from 'fast-check';
import type { MatchGenerator, RuleSite } from './matches.ts';

const not = fc.constantFrom('', '', '! ');
const into = (site: RuleSite): boolean =>
  site.hook === 'PREROUTING' || site.hook === 'INPUT' || site.hook === 'FORWARD';
const out = (site: RuleSite): boolean => site.hook === 'OUTPUT' || site.hook === 'FORWARD';
const words = (...parts: readonly fc.Arbitrary<string>[]): fc.Arbitrary<string> =>
  fc.tuple(...parts).map((list) => list.filter((part) => part !== '').join(' '));
const option = (name: string, value: fc.Arbitrary<string>): fc.Arbitrary<string> =>
  fc.tuple(not, value).map(([bang, text]) => `${bang}--${name} ${text}`);
const maybe = (part: fc.Arbitrary<string>): fc.Arbitrary<string> => fc.oneof(fc.constant(''), part);
const group = fc.constantFrom('0', '1', '2', '3/1', '0x80000000/0x80000000');
const number = fc.constantFrom(0, 1, 2, 3, 10, 100, 1000, 100_000);
const range = fc.tuple(number, number).map(([a, b]) => (a <= b ? `${a}:${b}` : `${a}`));
const days = (names: readonly string[]): fc.Arbitrary<string> =>
  fc.subarray([...names], { minLength: 1 }).map((list) => list.join(','));
const clock = fc
  .tuple(fc.integer({ min: 0, max: 23 }), fc.integer({ min: 0, max: 59 }))
  .map((parts) => parts.map((part) => String(part).padStart(2, '0')).join(':'));
const date = fc.constantFrom('1970', '2000-02-29T23:59:59', '2020-01-01', '2037-12-31', '2038-01-01T00:00:00');

const daytime = fc.tuple(clock, clock).chain(([start, stop]) => {
  const text = `--timestart ${start} --timestop ${stop}`;
  return fc.constantFrom(text, start > stop ? `${text} --contiguous` : text);
});

const element = words(
  maybe(option('reqid', fc.constantFrom('0', '1', '7'))),
  maybe(option('spi', fc.constantFrom('0x1', '0x100'))),
  maybe(option('proto', fc.constantFrom('esp', 'ah', 'ipcomp'))),
  maybe(option('mode', fc.constantFrom('transport', 'tunnel'))),
);

function policy(direction: 'in' | 'out'): fc.Arbitrary<string> {
  const ipsec = fc
    .tuple(element, fc.boolean())
    .map(([text, strict]) => `--pol ipsec ${strict && text !== '' ? '--strict ' : ''}${text}`.trimEnd());
  return fc.oneof(fc.constant('--pol none'), ipsec).map((text) => `--dir ${direction} ${text}`);
}

export const ENVIRONMENT_MATCHES = {
  cpu: { text: () => option('cpu', fc.constantFrom('0', '1', '2')) },
  devgroup: {
    fits: (site) => into(site) || out(site),
    text: (site) => (into(site) ? option('src-group', group) : option('dst-group', group)),
  },
  realm: {
    fits: (site) => site.universe.family === 'ipv4' && (out(site) || site.hook === 'INPUT'),
    text: () => option('realm', group),
  },
  connbytes: {
    text: () =>
      fc
        .tuple(
          // iptables-save prints 0:0 as 0, which reads back as 0 and more.
          option('connbytes', range).filter((text) => !text.endsWith(' 0:0')),
          fc.constantFrom('packets', 'bytes', 'avgpkt'),
          fc.constantFrom('original', 'reply', 'both'),
        )
        .map(([text, mode, direction]) => `${text} --connbytes-mode ${mode} --connbytes-dir ${direction}`),
  },
  eui64: {
    fits: (site) => site.universe.family === 'ipv6' && into(site),
    text: () => fc.constant(''),
  },
  connlabel: { text: () => option('label', fc.constantFrom('0', '1', '63', '64', '127')) },
  helper: { text: () => option('helper', fc.constantFrom('ftp', 'ftp-21', 'tftp', '""', 'a-name-of-17-bytes')) },
  cgroup: {
    fits: (site) => site.hook === 'INPUT' || site.hook === 'OUTPUT',
    text: () => option('cgroup', fc.constantFrom('0', '1', '4294967295')),
  },
  policy: {
    fits: (site) => into(site) || out(site),
    text: (site) => policy(into(site) ? 'in' : 'out'),
  },
  physdev: {
    text: () => {
      const port = fc.constantFrom('port0', 'port1', 'port+', 'p', '+');
      const flag = (name: string): fc.Arbitrary<string> => maybe(not.map((bang) => `${bang}--${name}`));
      return words(option('physdev-in', port), flag('physdev-is-in'), flag('physdev-is-bridged'));
    },
  },
  time: {
    text: () =>
      words(
        maybe(daytime),
        maybe(option('weekdays', days(['Mon', 'Wed', 'Sat', 'Sun']))),
        maybe(option('monthdays', days(['1', '15', '28', '29', '30', '31']))),
        maybe(date.map((text) => `--datestart ${text}`)),
        // iptables-save prints no end that is the beginning of time, and reads that back as none.
        maybe(date.filter((text) => text !== '1970').map((text) => `--datestop ${text}`)),
      ),
  },
} as const satisfies Record<string, MatchGenerator>;
