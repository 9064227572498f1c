import { REJECT_WITH, type RejectWith } from '../../policy/ir.ts';
import type { OptionSpec, TargetExtension, ValueType } from '../contract.ts';
import { REJECT as XT_REJECT } from '../layouts/targets.ts';
import { always, lowered, printOptions, refuse, withOption } from '../options.ts';
import { rejectType } from '../values/reject-type.ts';

const TCP = 6;
const TARGET = 'target "REJECT"';

/** In iptables' order, which decides what an abbreviation means. */
const IPV4 = rejectType([
  { name: 'icmp-net-unreachable', alias: 'net-unreach' },
  { name: 'icmp-host-unreachable', alias: 'host-unreach' },
  { name: 'icmp-proto-unreachable', alias: 'proto-unreach' },
  { name: 'icmp-port-unreachable', alias: 'port-unreach' },
  { name: 'icmp-net-prohibited', alias: 'net-prohib' },
  { name: 'icmp-host-prohibited', alias: 'host-prohib' },
  { name: 'tcp-reset', alias: 'tcp-rst' },
  { name: 'icmp-admin-prohibited', alias: 'admin-prohib' },
]);
const IPV6 = rejectType([
  { name: 'icmp6-no-route', alias: 'no-route' },
  { name: 'icmp6-adm-prohibited', alias: 'adm-prohibited' },
  { name: 'icmp6-addr-unreachable', alias: 'addr-unreach' },
  { name: 'icmp6-port-unreachable', alias: 'port-unreach' },
  { name: 'tcp-reset', alias: 'tcp-reset' },
  { name: 'icmp6-policy-fail', alias: 'policy-fail' },
  { name: 'icmp6-reject-route', alias: 'reject-route' },
]);
const DEFAULT = { ipv4: 'icmp-port-unreachable', ipv6: 'icmp6-port-unreachable' } as const;

const value: ValueType = {
  words: 1,
  parse: (words, ctx) => (ctx.family === 'ipv4' ? IPV4 : IPV6).parse(words, ctx),
  print: IPV4.print,
};
const OPTIONS: readonly OptionSpec[] = [{ name: 'reject-with', value, syntax: 'type' }];

/** ipt_REJECT and ip6t_REJECT. */
export const reject: TargetExtension = {
  kind: 'target',
  name: 'REJECT',
  summary: 'Drops the packet and answers it with an ICMP error or a TCP reset.',
  families: ['ipv4', 'ipv6'],
  tables: ['filter'],
  hooks: ['INPUT', 'FORWARD', 'OUTPUT'],
  layouts: XT_REJECT,
  options: OPTIONS,
  normalise(options, ctx) {
    if (options['reject-with'] !== undefined) return options;
    return withOption(options, 'reject-with', { kind: 'text', text: DEFAULT[ctx.family] });
  },
  check(options, ctx) {
    const { protocol } = ctx.ip;
    if (options['reject-with'] === undefined || always(options, 'reject-with', 'text').text !== 'tcp-reset') return [];
    if (protocol !== undefined && protocol.value === TCP && !protocol.invert) return [];
    return refuse(TARGET, '--reject-with tcp-reset needs -p tcp', ctx.span);
  },
  print: (options, ctx) => printOptions(OPTIONS, options, ctx),
  lower(options, ctx) {
    const { text } = always(options, 'reject-with', 'text');
    const known: readonly string[] = REJECT_WITH[ctx.family];
    if (!known.includes(text)) throw new TypeError(`unknown rejection "${text}"`);
    return lowered({ kind: 'reject', with: text as RejectWith });
  },
};
