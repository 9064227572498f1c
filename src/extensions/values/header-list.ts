import { protocolNumber } from '../../packet/protocols.ts';
import type { ValueType } from '../contract.ts';
import { bad, good, parseUnsigned, U8_MAX, wrongKind } from './numbers.ts';

/** Headers in the order of printing: the name that is printed, the short one, and the number. */
const HEADERS: readonly (readonly [name: string, short: string, number: number])[] = [
  ['hop-by-hop', 'hop', 0],
  ['ipv6-opts', 'dst', 60],
  ['ipv6-route', 'route', 43],
  ['ipv6-frag', 'frag', 44],
  ['ah', 'auth', 51],
  ['esp', 'esp', 50],
  ['ipv6-nonxt', 'none', 59],
  ['protocol', 'prot', 255],
];

/** A comma list of extension headers by name or number; kept as the long names, in the order of printing. */
export const headerList: ValueType = {
  words: 1,
  parse([text = '']) {
    const chosen = new Set<number>();
    for (const item of text.split(',')) {
      const number = readHeader(item);
      if (number === undefined) {
        return bad(`"${item}" is not a header; known are ${HEADERS.map(([, short]) => short).join(', ')}`);
      }
      chosen.add(number);
    }
    return good({
      kind: 'set',
      members: HEADERS.filter(([, , number]) => chosen.has(number)).map(([name]) => name),
    });
  },
  print: (value) => [value.kind === 'set' ? value.members.join(',') : wrongKind(value)],
};

function readHeader(text: string): number | undefined {
  const known = HEADERS.find(([name, short]) => name === text || short === text)?.[2];
  if (known !== undefined) return known;
  const number = parseUnsigned(text, 0n, U8_MAX) ?? protocolNumber(text);
  return number === undefined ? undefined : HEADERS.find((header) => header[2] === Number(number))?.[2];
}
