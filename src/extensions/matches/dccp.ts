import type { MatchExtension, ValueType } from '../contract.ts';
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

/** xt_dccp. */
export const dccp: MatchExtension = {
  kind: 'match',
  name: 'dccp',
  summary: 'Ports, type and options of a DCCP header.',
  families: ['ipv4', 'ipv6'],
  protocols: [33],
  options: [
    ...portOptions(portRange()),
    { name: 'dccp-types', value: types, syntax: 'type,...', invertible: true },
    { name: 'dccp-option', value: integer(1n, 255n), syntax: 'number', invertible: true },
  ],
};
