import { HOOKS } from '../../packet/netfilter.ts';
import { conditions, require } from '../../policy/expr.ts';
import type { Condition } from '../../policy/ir.ts';
import type { LowerContext, MatchExtension, OptionMap } from '../contract.ts';
import { cannot, given, lowered, refuse, requireOneOf } from '../options.ts';
import { flag } from '../values/flag.ts';
import { wordSet } from '../values/word-set.ts';
import { ADDRESS_TYPES, type TypeTest, typeOfDestinationV4, typeV6 } from './address-types.ts';

const MATCH = 'match "addrtype"';
const TYPES = { value: wordSet(ADDRESS_TYPES, { what: 'address type', abbreviations: true }), syntax: 'TYPE,...' };

/** Hooks at which the packet has its route. */
const ROUTED: readonly string[] = ['INPUT', 'FORWARD', 'OUTPUT', 'POSTROUTING'];

/** xt_addrtype revision 1, as far as a packet's own route and its addresses can answer it. */
export const addrtype: MatchExtension = {
  kind: 'match',
  name: 'addrtype',
  summary: 'Type of source or destination address, as the routing table has it.',
  notes: [
    'As BPF, for IPv4: `--dst-type` in rules that are reached from INPUT, FORWARD or OUTPUT only, without `--limit-iface-*`.',
    'As BPF, for IPv6: UNSPEC, UNICAST and MULTICAST everywhere, LOCAL for the destination in rules that are reached from INPUT only, never ANYCAST or UNREACHABLE.',
    'The type comes from the route of the packet itself. iptables looks the address up in table `local` alone, so the two differ for local routes in other tables (policy routing, VRF), and for bridged packets, which have no route.',
  ],
  families: ['ipv4', 'ipv6'],
  options: [
    { name: 'src-type', ...TYPES, invertible: true },
    { name: 'dst-type', ...TYPES, invertible: true },
    { name: 'limit-iface-in', value: flag, excludes: ['limit-iface-out'] },
    { name: 'limit-iface-out', value: flag, excludes: ['limit-iface-in'] },
  ],
  hooksFor(options) {
    // Where the packet has no such device (addrtype_mt_checkentry_v1).
    if (options['limit-iface-in'] !== undefined) return ['PREROUTING', 'INPUT', 'FORWARD'];
    return options['limit-iface-out'] === undefined ? HOOKS : ['FORWARD', 'OUTPUT', 'POSTROUTING'];
  },
  check(options, ctx) {
    const missing = requireOneOf(MATCH, ['src-type', 'dst-type'], options, ctx.span);
    const why = ctx.family === 'ipv6' ? unknownToIpv6(options) : undefined;
    return why === undefined ? missing : refuse(MATCH, why, ctx.span);
  },
  lower(options, ctx) {
    for (const name of ['limit-iface-in', 'limit-iface-out']) {
      if (options[name] !== undefined)
        return cannot(`--${name} needs a look-up in the routing table for one device, which a netfilter program lacks`);
    }
    const list: Condition[] = [];
    for (const name of ['src-type', 'dst-type'] as const) {
      const types = given(options, name, 'set');
      if (types === undefined) continue;
      const tested = typeTest(name, types.members, types.invert, ctx);
      if ('why' in tested) return cannot(tested.why);
      const wrong = tested.needsRoute ? ctx.reachableFrom.filter((hook) => !ROUTED.includes(hook)) : [];
      if (wrong.length > 0)
        return cannot(`at ${wrong.join(', ')} the packet has no route yet that would tell the type of its destination`);
      const ambiguous =
        ctx.family === 'ipv6' && tested.needsRoute ? ctx.reachableFrom.filter((hook) => hook !== 'INPUT') : [];
      if (ambiguous.length > 0)
        return cannot(
          `at ${ambiguous.join(', ')} a link-local destination may belong to another device than the packet's own, and the kernel looks at all of them`,
        );
      list.push(require(tested.expr));
    }
    return lowered(conditions(...list));
  },
};

function typeTest(
  name: 'src-type' | 'dst-type',
  members: readonly string[],
  invert: boolean,
  ctx: LowerContext,
): TypeTest {
  if (ctx.family === 'ipv6') return typeV6(name === 'src-type' ? 'ip6.saddr' : 'ip6.daddr', members, invert);
  if (name === 'dst-type') return typeOfDestinationV4(members, invert);
  return { why: 'the type of a source address needs a look-up in the routing table, which a netfilter program lacks' };
}

/** addrtype_mt_checkentry_v1: the types that IPv6 does not have. */
function unknownToIpv6(options: OptionMap): string | undefined {
  const members = ['src-type', 'dst-type'].flatMap((name) => given(options, name, 'set')?.members ?? []);
  const unknown = members.filter((type) => !IPV6_TYPES.includes(type));
  return unknown.length === 0 ? undefined : `there is no address type ${unknown.join(', ')} in IPv6`;
}

const IPV6_TYPES: readonly string[] = ['UNSPEC', 'UNICAST', 'LOCAL', 'ANYCAST', 'MULTICAST', 'UNREACHABLE'];
