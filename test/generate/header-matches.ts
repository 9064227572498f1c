/** Random options of the matches that read bytes of headers. */

import fc from 'fast-check';
import type { MatchGenerator, RuleSite } from './matches.ts';

const not = fc.constantFrom('', '', '! ');
const byte = fc.integer({ min: 0, max: 255 });
const word = fc.oneof(fc.constantFrom(0, 1, 5, 256, 0xffff, 0xffff_ffff), fc.integer({ min: 0, max: 0xffff_ffff }));
const hex = (value: number): string => `0x${value.toString(16)}`;

function option(name: string, value: fc.Arbitrary<string>, bang = not): fc.Arbitrary<string> {
  return fc.tuple(bang, value).map(([invert, text]) => `${invert}--${name} ${text}`);
}

const never = fc.constant('');

/** Of everything, inverted, iptables 1.8.9 prints nothing. */
function indexes(value: fc.Arbitrary<number>, max: number): fc.Arbitrary<string> {
  return fc
    .tuple(value, value)
    .map(([a, b]) => [Math.min(a, b), Math.max(a, b)] as const)
    .filter(([low, high]) => low > 0 || high < max)
    .map(([low, high]) => `${low}:${high}`);
}

function ports(site: RuleSite): fc.Arbitrary<string> {
  const port = fc.oneof(fc.constantFrom(...site.universe.ports), fc.integer({ min: 0, max: 65535 }));
  return fc.tuple(port, port).map(([a, b]) => `${Math.min(a, b)}:${Math.max(a, b)}`);
}

/** Each part or not. */
function some(...parts: readonly fc.Arbitrary<string>[]): fc.Arbitrary<string> {
  return fc
    .tuple(...parts.map((part) => fc.oneof(never, part)))
    .map((texts) => texts.filter((text) => text !== '').join(' '));
}

const CHUNKS = ['DATA', 'DATA:Be', 'INIT', 'SACK', 'ABORT', 'ABORT:t', 'SHUTDOWN_COMPLETE:T', 'I_DATA', 'COOKIE_ACK'];
const chunkTypes = fc
  .tuple(
    fc.constantFrom('any', 'only', 'all'),
    fc.oneof(
      fc.constantFrom('ALL', 'NONE'),
      fc.subarray(CHUNKS, { minLength: 1, maxLength: 4 }).map((list) => list.join(',')),
    ),
  )
  .map((words) => words.join(' '));

const DCCP_TYPES = ['REQUEST', 'RESPONSE', 'DATA', 'ACK', 'DATAACK', 'CLOSEREQ', 'CLOSE', 'RESET', 'SYNC', 'INVALID'];
const dccpTypes = fc.subarray(DCCP_TYPES, { minLength: 1 }).map((list) => list.join(','));

const u32Step = fc.oneof(
  fc.constantFrom('&0x3C', '&0xff', '&0xffff', '>>22', '>>24', '<<8', '>>6&0x3c', '@4', '@0', '@12'),
  fc.tuple(fc.constantFrom('&', '@'), fc.integer({ min: 0, max: 70 })).map(([sign, number]) => `${sign}${number}`),
);
const u32Test = fc
  .tuple(
    // Neither the number of the packet nor its checksum: the kernel may choose them.
    fc.constantFrom(0, 6, 12, 16, 20, 36, 40, 60),
    fc.array(u32Step, { maxLength: 4 }),
    fc.array(fc.tuple(word, word), { minLength: 1, maxLength: 4 }),
  )
  .map(([start, steps, ranges]) => {
    const values = ranges.map(([a, b]) => (a === b ? hex(a) : `${hex(Math.min(a, b))}:${hex(Math.max(a, b))}`));
    return `${start}${start === 6 || start === 36 ? '&0xff' : ''}${steps.join('')}=${values.join(',')}`;
  });

export const HEADER_MATCHES = {
  dscp: { text: () => option('dscp', fc.integer({ min: 0, max: 63 }).map(hex)) },
  tos: {
    text: () =>
      option(
        'tos',
        fc.tuple(byte, byte).map(([value, mask]) => `${hex(value & mask)}/${hex(mask)}`),
      ),
  },
  ecn: {
    text: (site) => {
      const ect = option('ecn-ip-ect', fc.integer({ min: 0, max: 3 }).map(String));
      if (site.protocol !== 'tcp') return ect;
      const flag = (name: string): fc.Arbitrary<string> => not.map((bang) => `${bang}--${name}`);
      return fc.oneof(ect, some(flag('ecn-tcp-ece'), flag('ecn-tcp-cwr'), ect)).map((text) => text || '--ecn-tcp-ece');
    },
  },
  esp: {
    fits: (site) => site.protocol === 'esp',
    text: () => some(option('espspi', indexes(word, 0xffff_ffff))),
  },
  ah: {
    fits: (site) => site.universe.family === 'ipv4' && site.protocol === 'ah',
    text: () => some(option('ahspi', indexes(word, 0xffff_ffff))),
  },
  sctp: {
    fits: (site) => site.protocol === 'sctp',
    text: (site) => some(option('sport', ports(site)), option('dport', ports(site)), option('chunk-types', chunkTypes)),
  },
  dccp: {
    fits: (site) => site.protocol === 'dccp',
    text: (site) =>
      some(
        option('sport', ports(site)),
        option('dport', ports(site)),
        option('dccp-types', dccpTypes),
        option('dccp-option', fc.integer({ min: 1, max: 255 }).map(String)),
      ),
  },
  tcpmss: {
    fits: (site) => site.protocol === 'tcp',
    text: () => option('mss', indexes(fc.constantFrom(0, 536, 1460, 1461, 65535), 70_000)),
  },
  u32: {
    text: () =>
      option(
        'u32',
        fc.array(u32Test, { minLength: 1, maxLength: 3 }).map((tests) => `"${tests.join('&&')}"`),
      ),
  },
} as const satisfies Record<string, MatchGenerator>;
