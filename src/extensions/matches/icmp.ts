import { all, between, conditions, equals, invertIf, require, TRUE } from '../../policy/expr.ts';
import type { LowerContext, MatchExtension, OptionMap, OptionSpec, RuleContext } from '../contract.ts';
import { ICMP as XT_ICMP } from '../layouts/transport.ts';
import { always, lowered, printOptions } from '../options.ts';
import { transportHeader } from '../transport.ts';
import { icmpType } from '../values/icmp-type.ts';
import { ICMP_NAMES } from './icmp-names.ts';

/** struct icmphdr and struct icmp6hdr: both have to be there whole, although only two bytes are looked at. */
const ICMP_HEADER = 8;
/** As a type to match (not in a packet) it means every type; only for IPv4. */
const ANY_TYPE = 255n;

/** icmp_match and icmp6_match: type and range of codes, or any type. */
export function lowerIcmp(options: OptionMap, name: string, ctx: LowerContext) {
  const { ranges, invert } = always(options, name, 'ranges');
  const [type, codes] = ranges;
  if (type === undefined || codes === undefined) throw new TypeError(`option "${name}" holds no type and codes`);
  const matched =
    ctx.family === 'ipv4' && type.min === ANY_TYPE
      ? TRUE
      : all(equals('icmp.type', type.min), between('icmp.code', codes.min, codes.max));
  return lowered(conditions(...transportHeader(ctx.family, ICMP_HEADER), require(invertIf(invert, matched))));
}

/** iptables-save prints only the first code of a range, which would come back as another rule; we print both ends. */
export function printIcmp(spec: OptionSpec, options: OptionMap, ctx: RuleContext) {
  const words = printOptions([spec], options, ctx);
  const codes = always(options, spec.name, 'ranges').ranges[1];
  if (codes === undefined || codes.min === codes.max || (codes.min === 0n && codes.max === 255n)) return words;
  return [...words.slice(0, -1), `${words.at(-1)}:${codes.max}`];
}

const TYPE: OptionSpec = {
  name: 'icmp-type',
  value: icmpType(ICMP_NAMES),
  syntax: 'name, type[/code[:code]] or any',
  invertible: true,
  mandatory: true,
};

/** The icmp match of ip_tables. */
export const icmp: MatchExtension = {
  kind: 'match',
  name: 'icmp',
  summary: 'Type and code of an ICMP message.',
  notes: [
    'A range of codes is printed with both ends. iptables-save prints the first only, which is another rule when it is read back.',
  ],
  families: ['ipv4'],
  protocols: [1],
  layouts: XT_ICMP,
  options: [TYPE],
  print: (options, ctx) => printIcmp(TYPE, options, ctx),
  lower: (options, ctx) => lowerIcmp(options, TYPE.name, ctx),
};
