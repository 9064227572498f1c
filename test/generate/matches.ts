/** Random `-m` parts of rules, as the words that restore files have. Each is legal for iptables 1.8.9 and the kernel. */

import fc from 'fast-check';
import { parseAddress } from '../../src/packet/address.ts';
import type { Hook } from '../../src/packet/netfilter.ts';
import { ENVIRONMENT_MATCHES } from './environment-matches.ts';
import { HEADER_MATCHES } from './header-matches.ts';
import { SCAN_MATCHES } from './scan-matches.ts';
import { STATEFUL_MATCHES } from './stateful-matches.ts';
import type { Universe } from './universe.ts';

/** What a match may assume about the rule it stands in. */
export interface RuleSite {
  readonly universe: Universe;
  /** Name given with `-p`, not inverted; undefined when there is none. */
  readonly protocol: string | undefined;
  /** The built-in chain the rule stands in; undefined in user chains. */
  readonly hook: Hook | undefined;
}

export interface MatchGenerator {
  /** Absent: everywhere. */
  readonly fits?: (site: RuleSite) => boolean;
  readonly text: (site: RuleSite) => fc.Arbitrary<string>;
  /** The verdict depends on more than the packet. */
  readonly memory?: 'deterministic' | 'random';
}

const not = fc.constantFrom('', '', '! ');

/** `a` or `a:b` with a <= b, as iptables writes ranges. */
function range(values: fc.Arbitrary<number>, separator = ':'): fc.Arbitrary<string> {
  return fc.oneof(
    values.map(String),
    fc.tuple(values, values).map(([a, b]) => `${Math.min(a, b)}${separator}${Math.max(a, b)}`),
  );
}

/** multiport insists on a < b. */
function portOrRange(values: fc.Arbitrary<number>): fc.Arbitrary<string> {
  return fc.oneof(
    values.map(String),
    fc.tuple(values, values).map(([a, b]) => (a === b ? String(a) : `${Math.min(a, b)}:${Math.max(a, b)}`)),
  );
}

function ports(site: RuleSite): fc.Arbitrary<number> {
  return fc.oneof(fc.constantFrom(...site.universe.ports), fc.integer({ min: 0, max: 65535 }));
}

/** Some of the given parts, at least `min` of them, joined by blanks. */
function some(parts: readonly fc.Arbitrary<string>[], min: number): fc.Arbitrary<string> {
  return fc
    .subarray(
      parts.map((_, at) => at),
      { minLength: min },
    )
    .chain((chosen) => fc.tuple(...chosen.map((at) => parts[at]!)).map((words) => words.join(' ')));
}

function option(name: string, value: fc.Arbitrary<string>): fc.Arbitrary<string> {
  return fc.tuple(not, value).map(([bang, text]) => `${bang}--${name} ${text}`);
}

const TCP_FLAG_NAMES = ['FIN', 'SYN', 'RST', 'PSH', 'ACK', 'URG'] as const;
const tcpFlagList = fc.subarray([...TCP_FLAG_NAMES]).map((names) => (names.length === 0 ? 'NONE' : names.join(',')));

const byte = fc.integer({ min: 0, max: 255 });
const STATES = ['INVALID', 'NEW', 'ESTABLISHED', 'RELATED', 'UNTRACKED'] as const;
const stateList = (names: readonly string[]): fc.Arbitrary<string> =>
  fc.subarray([...names], { minLength: 1 }).map((list) => list.join(','));

function marks(site: RuleSite): fc.Arbitrary<string> {
  const value = fc.oneof(fc.constantFrom(...site.universe.marks), fc.integer({ min: 0, max: 0xffff_ffff }));
  const hex = (number: number): string => `0x${number.toString(16)}`;
  return fc.oneof(
    value.map(hex),
    // Bits outside the mask would make a rule that never matches; iptables lets it through.
    fc.tuple(value, value).map(([mark, mask]) => `${hex((mark & mask) >>> 0)}/${hex(mask)}`),
  );
}

const isIpv4 = (site: RuleSite): boolean => site.universe.family === 'ipv4';
const isIpv6 = (site: RuleSite): boolean => site.universe.family === 'ipv6';
const MULTIPORT = ['tcp', 'udp', 'udplite', 'sctp', 'dccp'];

export const MATCHES = {
  ...ENVIRONMENT_MATCHES,
  ...HEADER_MATCHES,
  tcp: {
    fits: (site) => site.protocol === 'tcp',
    text: (site) =>
      some(
        [
          option('sport', range(ports(site))),
          option('dport', range(ports(site))),
          option(
            'tcp-flags',
            fc.tuple(tcpFlagList, tcpFlagList).map((lists) => lists.join(' ')),
          ),
          option(
            'tcp-option',
            fc.oneof(fc.constantFrom('1', '2', '3', '4', '8'), fc.integer({ min: 1, max: 255 }).map(String)),
          ),
        ],
        0,
      ),
  },
  udp: {
    fits: (site) => site.protocol === 'udp',
    text: (site) => some([option('sport', range(ports(site))), option('dport', range(ports(site)))], 0),
  },
  icmp: {
    fits: (site) => isIpv4(site) && site.protocol === 'icmp',
    text: () => option('icmp-type', fc.oneof(fc.constantFrom('any', '8', '0', '3', '3/1', '11/0'), range(byte, '/'))),
  },
  icmp6: {
    fits: (site) => isIpv6(site) && site.protocol === 'ipv6-icmp',
    text: () =>
      option('icmpv6-type', fc.oneof(fc.constantFrom('128', '129', '1', '1/4', '3/0', '135'), range(byte, '/'))),
  },
  multiport: {
    fits: (site) => site.protocol !== undefined && MULTIPORT.includes(site.protocol),
    text: (site) =>
      fc.constantFrom('sports', 'dports', 'ports').chain((name) =>
        option(
          name,
          // At most seven entries of two slots each: the kernel has fifteen.
          fc.array(portOrRange(ports(site)), { minLength: 1, maxLength: 7 }).map((entries) => entries.join(',')),
        ),
      ),
  },
  conntrack: { text: () => option('ctstate', stateList([...STATES, 'SNAT', 'DNAT'])) },
  state: { text: () => option('state', stateList(STATES)) },
  mark: { text: (site) => option('mark', marks(site)) },
  connmark: { text: (site) => option('mark', marks(site)) },
  length: {
    text: () =>
      option('length', range(fc.oneof(fc.integer({ min: 20, max: 100 }), fc.integer({ min: 0, max: 65535 })))),
  },
  ttl: {
    fits: isIpv4,
    text: () =>
      fc.oneof(
        option('ttl-eq', ttl),
        ttl.map((n) => `--ttl-lt ${n}`),
        ttl.map((n) => `--ttl-gt ${n}`),
      ),
  },
  hl: {
    fits: isIpv6,
    text: () =>
      fc.oneof(
        option('hl-eq', ttl),
        ttl.map((n) => `--hl-lt ${n}`),
        ttl.map((n) => `--hl-gt ${n}`),
      ),
  },
  iprange: {
    text: (site) => some([option('src-range', addressRange(site)), option('dst-range', addressRange(site))], 1),
  },
  mac: {
    fits: (site) => site.hook === 'PREROUTING' || site.hook === 'INPUT' || site.hook === 'FORWARD',
    text: (site) => option('mac-source', fc.constantFrom(...site.universe.macs)),
  },
  pkttype: { text: () => option('pkt-type', fc.constantFrom('unicast', 'broadcast', 'multicast')) },
  addrtype: {
    // What has to be looked up is asked of a kernel, which is not always there.
    text: (site) =>
      fc
        .constantFrom('src-type', 'dst-type')
        .chain((name) =>
          option(
            name,
            stateList(isIpv4(site) ? ['MULTICAST', 'UNSPEC', 'PROHIBIT'] : ['UNICAST', 'MULTICAST', 'UNSPEC']),
          ),
        ),
  },
  owner: {
    fits: (site) => site.hook === 'OUTPUT',
    text: (site) => {
      const id = fc.constantFrom(...site.universe.uids);
      const exists = not.map((bang) => `${bang}--socket-exists`);
      return some([option('uid-owner', range(id, '-')), option('gid-owner', range(id, '-')), exists], 1);
    },
  },
  comment: {
    text: () => fc.constantFrom('x', '"two words"', '"say \\"no\\""', "it's").map((text) => `--comment ${text}`),
  },
  limit: {
    memory: 'deterministic',
    text: () =>
      fc
        .tuple(
          fc.integer({ min: 1, max: 50 }),
          fc.constantFrom('sec', 'min', 'hour', 'day'),
          fc.integer({ min: 1, max: 9 }),
        )
        // Few a day with a large burst are more credits than the kernel can count, and it refuses them.
        .map(([rate, unit, burst]) => `--limit ${unit === 'day' ? rate + 10 : rate}/${unit} --limit-burst ${burst}`),
  },
  nth: {
    memory: 'deterministic',
    text: () =>
      fc
        .integer({ min: 1, max: 5 })
        .chain((every) => fc.tuple(not, fc.constant(every), fc.integer({ min: 0, max: every - 1 })))
        .map(([bang, every, packet]) => `--mode nth ${bang}--every ${every} --packet ${packet}`),
  },
  random: {
    memory: 'random',
    text: () =>
      option('probability', fc.constantFrom('0.01', '0.49', '0.5', '0.51', '0.99', '1')).map(
        (text) => `--mode random ${text}`,
      ),
  },
  ...SCAN_MATCHES,
  ...STATEFUL_MATCHES,
} as const satisfies Record<string, MatchGenerator>;

const ttl = fc.oneof(fc.constantFrom('1', '63', '64', '65', '255'), byte.map(String));

function addressRange({ universe: { addresses, family } }: RuleSite): fc.Arbitrary<string> {
  const value = (text: string): bigint => parseAddress(text, family) ?? 0n;
  return fc
    .tuple(fc.constantFrom(...addresses), fc.constantFrom(...addresses))
    .map(([a, b]) => (value(a) <= value(b) ? `${a}-${b}` : `${b}-${a}`));
}

export type MatchName = keyof typeof MATCHES;
export const MATCH_NAMES = Object.keys(MATCHES) as MatchName[];

/** What follows `-m`: the two modes of statistic are one match for iptables. */
function moduleName(name: MatchName): string {
  return name === 'nth' || name === 'random' ? 'statistic' : name;
}

export function generatorOf(name: MatchName): MatchGenerator {
  return MATCHES[name];
}

/** One `-m NAME ...`. */
export function matchText(name: MatchName, site: RuleSite): fc.Arbitrary<string> {
  return generatorOf(name)
    .text(site)
    .map((text) => `-m ${moduleName(name)} ${text}`.trimEnd());
}
