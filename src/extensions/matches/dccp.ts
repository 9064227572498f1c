import { conditions, invertIf, payload, require } from '../../policy/expr.ts';
import type { Condition } from '../../policy/ir.ts';
import type { MatchExtension, OptionMap, ValueType } from '../contract.ts';
import { DCCP as XT_DCCP } from '../layouts/transport.ts';
import { given, lowered } from '../options.ts';
import { inRange, scanConditions, transportHeader } from '../transport.ts';
import { integer } from '../values/integer.ts';
import { portRange } from '../values/port.ts';
import { wordSet } from '../values/word-set.ts';
import { portOptions } from './ports.ts';

/** In the order of their numbers; INVALID is everything that has no name. */
const TYPES = [
  'REQUEST',
  'RESPONSE',
  'DATA',
  'ACK',
  'DATAACK',
  'CLOSEREQ',
  'CLOSE',
  'RESET',
  'SYNC',
  'SYNCACK',
  'INVALID',
] as const;
const WORDS: readonly string[] = TYPES;
const words = wordSet(TYPES, { what: 'type of DCCP packet' });

/** Commas in a row count as one (strtok); no type at all is legal, and never matched. */
const types: ValueType = {
  words: 1,
  parse([text = ''], ctx) {
    const list = text.split(',').filter((item) => item !== '');
    if (list.length === 0) return { ok: true, value: { kind: 'set', members: [] } };
    return words.parse([list.join(',')], ctx);
  },
  print: (value, ctx) => words.print(value, ctx).map((word) => (word === '' ? '""' : word)),
};

const HEADER = 12;
/** The packet type: four bits above the lowest of byte 8. */
const TYPE = { base: 'transport', offset: 8, bits: 8 } as const;
const TYPE_MASK = 0x1en;
const INVALID = BigInt(TYPES.indexOf('INVALID'));

/** xt_dccp. */
export const dccp: MatchExtension = {
  kind: 'match',
  name: 'dccp',
  summary: 'Ports, type and options of a DCCP header.',
  notes: [
    'A packet with broken options is dropped. It matches `! --dccp-option`, though: then the rule counts it, and a LOG or the like is carried out.',
  ],
  families: ['ipv4', 'ipv6'],
  protocols: [33],
  layouts: XT_DCCP,
  options: [
    ...portOptions(portRange()),
    { name: 'dccp-types', value: types, syntax: 'type,...', invertible: true },
    { name: 'dccp-option', value: integer(1n, 255n), syntax: 'number', invertible: true },
  ],
  lower(options, ctx) {
    const option = given(options, 'dccp-option', 'integer');
    return lowered(
      conditions(
        ...transportHeader(ctx.family, HEADER),
        require(inRange('transport.sport', given(options, 'sport', 'range'))),
        require(inRange('transport.dport', given(options, 'dport', 'range'))),
        ...typeConditions(options),
        ...(option === undefined
          ? []
          : scanConditions({ kind: 'dccpOption', option: Number(option.value) }, option.invert)),
      ),
    );
  },
};

function typeConditions(options: OptionMap): readonly Condition[] {
  const asked = given(options, 'dccp-types', 'set');
  if (asked === undefined) return [];
  const numbers = asked.members.map((name) => BigInt(WORDS.indexOf(name)));
  const ranges = numbers.map((type) => ({ min: type << 1n, max: type === INVALID ? TYPE_MASK : type << 1n }));
  return [require(invertIf(asked.invert, payload(TYPE, ranges, TYPE_MASK)))];
}
