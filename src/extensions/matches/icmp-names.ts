/** Names of ICMP types and codes as iptables knows them, in the order in which it lists them. */

import type { IcmpName } from '../values/icmp-type.ts';

function type(number: number, ...names: readonly string[]): readonly IcmpName[] {
  return names.map((name) => ({ name, type: number }));
}

/** Names of single codes of a type, by code. */
function codes(number: number, names: Readonly<Record<string, number>>): readonly IcmpName[] {
  return Object.entries(names).map(([name, code]) => ({ name, type: number, codes: { min: code, max: code } }));
}

export const ICMP_NAMES: readonly IcmpName[] = [
  ...type(255, 'any'),
  ...type(0, 'echo-reply', 'pong'),
  ...type(3, 'destination-unreachable'),
  ...codes(3, {
    'network-unreachable': 0,
    'host-unreachable': 1,
    'protocol-unreachable': 2,
    'port-unreachable': 3,
    'fragmentation-needed': 4,
    'source-route-failed': 5,
    'network-unknown': 6,
    'host-unknown': 7,
    'network-prohibited': 9,
    'host-prohibited': 10,
    'tos-network-unreachable': 11,
    'tos-host-unreachable': 12,
    'communication-prohibited': 13,
    'host-precedence-violation': 14,
    'precedence-cutoff': 15,
  }),
  ...type(4, 'source-quench'),
  ...type(5, 'redirect'),
  ...codes(5, { 'network-redirect': 0, 'host-redirect': 1, 'tos-network-redirect': 2, 'tos-host-redirect': 3 }),
  ...type(8, 'echo-request', 'ping'),
  ...type(9, 'router-advertisement'),
  ...type(10, 'router-solicitation'),
  ...type(11, 'time-exceeded', 'ttl-exceeded'),
  ...codes(11, { 'ttl-zero-during-transit': 0, 'ttl-zero-during-reassembly': 1 }),
  ...type(12, 'parameter-problem'),
  ...codes(12, { 'ip-header-bad': 0, 'required-option-missing': 1 }),
  ...type(13, 'timestamp-request'),
  ...type(14, 'timestamp-reply'),
  ...type(17, 'address-mask-request'),
  ...type(18, 'address-mask-reply'),
];

export const ICMPV6_NAMES: readonly IcmpName[] = [
  ...type(1, 'destination-unreachable'),
  ...codes(1, {
    'no-route': 0,
    'communication-prohibited': 1,
    'beyond-scope': 2,
    'address-unreachable': 3,
    'port-unreachable': 4,
    'failed-policy': 5,
    'reject-route': 6,
  }),
  ...type(2, 'packet-too-big'),
  ...type(3, 'time-exceeded', 'ttl-exceeded'),
  ...codes(3, { 'ttl-zero-during-transit': 0, 'ttl-zero-during-reassembly': 1 }),
  ...type(4, 'parameter-problem'),
  ...codes(4, { 'bad-header': 0, 'unknown-header-type': 1, 'unknown-option': 2 }),
  ...type(128, 'echo-request', 'ping'),
  ...type(129, 'echo-reply', 'pong'),
  ...type(133, 'router-solicitation'),
  ...type(134, 'router-advertisement'),
  ...type(135, 'neighbour-solicitation', 'neighbor-solicitation'),
  ...type(136, 'neighbour-advertisement', 'neighbor-advertisement'),
  ...type(137, 'redirect'),
];
