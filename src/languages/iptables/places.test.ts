/** Matches and targets where they may not stand: the protocol, table or hook is wrong. */

import { expect, it } from 'vitest';
import type { Family } from '../../packet/netfilter.ts';
import { parseRuleset } from './parse.ts';

it.each<[code: string, family: Family, table: string, rule: string]>([
  ['protocol-required', 'ipv4', 'filter', '-A INPUT -p tcp -m ah --ahspi 1'],
  ['protocol-required', 'ipv4', 'filter', '-A INPUT ! -p ah -m ah --ahspi 1'],
  ['wrong-hook', 'ipv4', 'mangle', '-A FORWARD -m cgroup --path /'],
  ['wrong-hook', 'ipv4', 'mangle', '-A FORWARD -m cgroup --cgroup 1'],
  ['wrong-hook', 'ipv4', 'mangle', '-A PREROUTING -m cgroup --cgroup 1'],
  ['protocol-required', 'ipv4', 'filter', '-A INPUT -p tcp -m dccp'],
  ['wrong-hook', 'ipv4', 'filter', '-A INPUT -m devgroup --dst-group 5'],
  ['wrong-hook', 'ipv4', 'filter', '-A OUTPUT -m devgroup --src-group 5'],
  ['protocol-required', 'ipv4', 'filter', '-A INPUT -m ipcomp'],
  ['wrong-hook', 'ipv4', 'filter', '-A OUTPUT -p tcp -m osf --genre Linux'],
  ['protocol-required', 'ipv4', 'filter', '-A INPUT -p udp -m osf --genre Linux'],
  ['wrong-hook', 'ipv4', 'filter', '-A OUTPUT -m physdev --physdev-out eth1'],
  ['wrong-hook', 'ipv4', 'filter', '-A OUTPUT -m physdev --physdev-is-out'],
  ['wrong-hook', 'ipv4', 'filter', '-A OUTPUT -m physdev --physdev-out eth1 ! --physdev-is-bridged'],
  ['wrong-hook', 'ipv4', 'filter', '-A INPUT -m policy --dir out --pol none'],
  ['wrong-hook', 'ipv4', 'filter', '-A OUTPUT -m policy --dir in --pol none'],
  ['wrong-hook', 'ipv4', 'mangle', '-A PREROUTING -m realm --realm 1'],
  ['wrong-table', 'ipv4', 'filter', '-A INPUT -m rpfilter --loose'],
  ['wrong-table', 'ipv4', 'nat', '-A PREROUTING -m rpfilter --loose'],
  ['protocol-required', 'ipv4', 'filter', '-A INPUT -m sctp'],
  ['wrong-hook', 'ipv4', 'filter', '-A OUTPUT -m socket'],
  ['wrong-hook', 'ipv4', 'filter', '-A FORWARD -m socket'],
  ['wrong-hook', 'ipv6', 'filter', '-A OUTPUT -m eui64'],
  ['protocol-required', 'ipv6', 'filter', '-A INPUT -m mh'],
  ['wrong-table', 'ipv4', 'filter', '-A INPUT -j CONNSECMARK --save'],
  ['wrong-hook', 'ipv6', 'mangle', '-A PREROUTING -j SNPT --src-pfx fd00::/48 --dst-pfx 2001:db8::/48'],
  ['wrong-hook', 'ipv6', 'mangle', '-A OUTPUT -j SNPT --src-pfx fd00::/48 --dst-pfx 2001:db8::/48'],
  ['wrong-hook', 'ipv6', 'mangle', '-A FORWARD -j DNPT --src-pfx fd00::/48 --dst-pfx 2001:db8::/48'],
  ['wrong-hook', 'ipv6', 'mangle', '-A POSTROUTING -j DNPT --src-pfx fd00::/48 --dst-pfx 2001:db8::/48'],
  ['wrong-table', 'ipv6', 'filter', '-A FORWARD -j DNPT --src-pfx fd00::/48 --dst-pfx 2001:db8::/48'],
  ['wrong-table', 'ipv6', 'nat', '-A POSTROUTING -j SNPT --src-pfx fd00::/64 --dst-pfx 1::/64'],
  ['wrong-table', 'ipv4', 'filter', '-A INPUT -p tcp -j ECN --ecn-tcp-remove'],
  ['wrong-table', 'ipv4', 'filter', '-A INPUT -j NOTRACK'],
  ['wrong-table', 'ipv4', 'filter', '-A INPUT -j SECMARK --selctx a:b:c'],
  ['wrong-hook', 'ipv4', 'filter', '-A OUTPUT -p tcp -j SYNPROXY --mss 1460'],
  ['wrong-hook', 'ipv4', 'raw', '-A PREROUTING -p tcp -j SYNPROXY --mss 1460'],
  ['protocol-required', 'ipv4', 'filter', '-A INPUT ! -p tcp -j SYNPROXY --mss 1460'],
  ['wrong-table', 'ipv4', 'filter', '-A INPUT -p tcp -j TCPOPTSTRIP --strip-options 5'],
  ['protocol-required', 'ipv4', 'mangle', '-A INPUT -j TCPOPTSTRIP --strip-options 5'],
  ['protocol-required', 'ipv4', 'mangle', '-A INPUT ! -p tcp -j TCPOPTSTRIP --strip-options 5'],
  ['wrong-table', 'ipv4', 'filter', '-A INPUT -j TRACE'],
  ['wrong-table', 'ipv4', 'mangle', '-A INPUT -j TRACE'],
  ['wrong-hook', 'ipv4', 'mangle', '-A PREROUTING -j SET --map-set sk src --map-prio'],
  ['protocol-required', 'ipv4', 'filter', '-A INPUT -j TCPMSS --set-mss 5'],
  ['protocol-required', 'ipv4', 'filter', '-A FORWARD -m tcpmss --mss 5'],
])('%s: %s %s %s', (code, family, table, rule) => {
  const { ruleset, diagnostics } = parseRuleset({ name: 'case', text: `*${table}\n${rule}\nCOMMIT\n` }, family);
  expect(ruleset).toBeUndefined();
  expect(diagnostics.map((item) => item.code)).toEqual([code]);
});
