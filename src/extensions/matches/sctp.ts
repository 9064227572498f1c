import { conditions, require } from '../../policy/expr.ts';
import type { NumberRange } from '../../policy/scan.ts';
import type { SctpChunksScan } from '../../policy/scan-sctp-chunks.ts';
import type { MatchExtension } from '../contract.ts';
import { SCTP as XT_SCTP } from '../layouts/transport.ts';
import { given, lowered } from '../options.ts';
import { inRange, scanConditions, transportHeader } from '../transport.ts';
import { CHUNK_TYPES, chunkFlags, chunkTypes } from '../values/chunk-types.ts';
import { portRange } from '../values/port.ts';
import { portOptions } from './ports.ts';

const HEADER = 12;

/** xt_sctp. */
export const sctp: MatchExtension = {
  kind: 'match',
  name: 'sctp',
  summary: 'Ports of an SCTP header, and the types and flags of the chunks behind it.',
  notes: [
    'Flags of I_DATA are refused: iptables would store them for another type of chunk, where they ask nothing.',
    'A packet with a broken chunk is dropped. It matches `! --chunk-types`, though: then the rule counts it, and a LOG or the like is carried out.',
    '`--chunk-types all ALL` never matches: iptables asks for more types than there are.',
  ],
  families: ['ipv4', 'ipv6'],
  protocols: [132],
  layouts: XT_SCTP,
  options: [
    ...portOptions(portRange('sctp')),
    { name: 'chunk-types', value: chunkTypes, syntax: 'all|any|only type[:flags],...', invertible: true },
  ],
  lower(options, ctx) {
    const chunks = given(options, 'chunk-types', 'set');
    const never = chunks?.members[0] === 'all' && chunks.members[1] === 'ALL';
    return lowered(
      conditions(
        ...transportHeader(ctx.family, HEADER),
        require(inRange('transport.sport', given(options, 'sport', 'range'))),
        require(inRange('transport.dport', given(options, 'dport', 'range'))),
        ...(chunks === undefined ? [] : scanConditions(chunksScan(chunks.members), chunks.invert, never)),
      ),
    );
  },
};

function chunksScan([how = '', ...list]: readonly string[]): SctpChunksScan {
  const chosen = list[0] === 'ALL' || list[0] === 'NONE' ? [] : list;
  const numbers = chosen.map((item) => CHUNK_TYPES[item.split(':')[0] ?? '']!);
  const types = numbers.map((type) => ({ min: type, max: type })).sort((a, b) => a.min - b.min);
  return {
    kind: 'sctpChunks',
    how: how === 'any' || how === 'only' ? how : 'all',
    types: list[0] === 'ALL' ? [{ min: 0, max: 255 }] : joinNeighbours(types),
    flags: chosen.flatMap((item, at) => {
      const flags = chunkFlags(item);
      return flags === undefined ? [] : [{ type: numbers[at]!, ...flags }];
    }),
  };
}

function joinNeighbours(sorted: readonly NumberRange[]): readonly NumberRange[] {
  const out: NumberRange[] = [];
  for (const range of sorted) {
    const last = out.at(-1);
    if (last !== undefined && last.max + 1 === range.min) out[out.length - 1] = { min: last.min, max: range.max };
    else out.push(range);
  }
  return out;
}
