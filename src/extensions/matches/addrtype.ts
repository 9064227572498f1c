import { HOOKS } from '../../packet/netfilter.ts';
import { conditions, invertIf, require } from '../../policy/expr.ts';
import type { Condition } from '../../policy/ir.ts';
import type { Question } from '../../policy/question.ts';
import { matchQuestion } from '../asked-match.ts';
import { asking } from '../asking.ts';
import type { MatchExtension, OptionMap } from '../contract.ts';
import { ADDRTYPE as XT_ADDRTYPE } from '../layouts/packet.ts';
import { given, lowered, refuse, requireOneOf } from '../options.ts';
import { flag } from '../values/flag.ts';
import { wordSet } from '../values/word-set.ts';
import { ADDRESS_TYPES, typeByAddress, typeNumber } from './address-types.ts';

const MATCH = 'match "addrtype"';
const TYPES = { value: wordSet(ADDRESS_TYPES, { what: 'address type', abbreviations: true }), syntax: 'TYPE,...' };

/** xt_addrtype revision 1. */
export const addrtype: MatchExtension = {
  kind: 'match',
  name: 'addrtype',
  summary: 'Type of source or destination address, as the routing table has it.',
  notes: [
    'MULTICAST (IPv6: also UNICAST and UNSPEC) is told from the address. For the other types the kernel looks the address up, just before the rules run.',
  ],
  families: ['ipv4', 'ipv6'],
  layouts: XT_ADDRTYPE,
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
    const list: Condition[] = [];
    const looked: AskedType[] = [];
    for (const name of ['src-type', 'dst-type'] as const) {
      const types = given(options, name, 'set');
      if (types === undefined) continue;
      const byAddress = typeByAddress(name === 'src-type' ? 'saddr' : 'daddr', types.members, ctx.family);
      if (byAddress === undefined) looked.push({ name, ...types });
      else list.push(require(invertIf(types.invert, byAddress)));
    }
    if (looked.length === 0) return lowered(conditions(...list));
    const asked = asking(ctx, typeQuestion(looked, options));
    return asked.ok ? lowered(conditions(...list, ...asked.value)) : asked;
  },
};

interface AskedType {
  readonly name: 'src-type' | 'dst-type';
  readonly members: readonly string[];
  readonly invert: boolean;
}

/** include/uapi/linux/netfilter/xt_addrtype.h */
const FLAG = { INVERT_SOURCE: 1, INVERT_DEST: 2, LIMIT_IFACE_IN: 4, LIMIT_IFACE_OUT: 8 } as const;

/** struct xt_addrtype_info_v1: source u16, dest u16 (a bit for each type), flags u32. */
function typeQuestion(looked: readonly AskedType[], options: OptionMap): Question {
  return matchQuestion('addrtype', 1, 8, (info) => {
    let flags = 0;
    for (const { name, members, invert } of looked) {
      const source = name === 'src-type';
      info.u16(
        source ? 0 : 2,
        members.reduce((bits, type) => bits | (1 << typeNumber(type)), 0),
      );
      if (invert) flags |= source ? FLAG.INVERT_SOURCE : FLAG.INVERT_DEST;
    }
    if (options['limit-iface-in'] !== undefined) flags |= FLAG.LIMIT_IFACE_IN;
    if (options['limit-iface-out'] !== undefined) flags |= FLAG.LIMIT_IFACE_OUT;
    info.u32(4, flags);
  });
}

/** addrtype_mt_checkentry_v1: the types that IPv6 does not have. */
function unknownToIpv6(options: OptionMap): string | undefined {
  const members = ['src-type', 'dst-type'].flatMap((name) => given(options, name, 'set')?.members ?? []);
  const unknown = members.filter((type) => !IPV6_TYPES.includes(type));
  return unknown.length === 0 ? undefined : `there is no address type ${unknown.join(', ')} in IPv6`;
}

const IPV6_TYPES: readonly string[] = ['UNSPEC', 'UNICAST', 'LOCAL', 'ANYCAST', 'MULTICAST', 'UNREACHABLE'];
