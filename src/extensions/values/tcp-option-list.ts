import type { ValueType } from '../contract.ts';
import { bad, good, parseUnsigned, U8_MAX, wrongKind } from './numbers.ts';

const NAMES: Readonly<Record<string, bigint>> = {
  wscale: 3n,
  mss: 2n,
  'sack-permitted': 4n,
  sack: 5n,
  timestamp: 8n,
  md5: 19n,
};

/** Kinds of TCP options by number (2 to 255) or name, each once; kept as ranges of one kind, sorted; printed as numbers. */
export const tcpOptionList: ValueType = {
  words: 1,
  parse([text = '']) {
    const kinds: bigint[] = [];
    for (const item of text.split(',')) {
      const kind = Object.hasOwn(NAMES, item) ? NAMES[item] : parseUnsigned(item, 2n, U8_MAX);
      if (kind === undefined) return bad(`"${item}" is not a TCP option from 2 to 255, nor the name of one`);
      if (kinds.includes(kind)) return bad(`option ${kind} is named twice`);
      kinds.push(kind);
    }
    kinds.sort((a, b) => Number(a - b));
    return good({ kind: 'ranges', ranges: kinds.map((kind) => ({ min: kind, max: kind })) });
  },
  print: (value) => [value.kind === 'ranges' ? value.ranges.map(({ min }) => min).join(',') : wrongKind(value)],
};
