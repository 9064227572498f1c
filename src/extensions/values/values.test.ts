import { describe, expect, it } from 'vitest';
import type { Family } from '../../packet/netfilter.ts';
import type { ValueContext, ValueType } from '../contract.ts';
import { addressRange, maskedAddress } from './address.ts';
import { choice } from './choice.ts';
import { icmpType } from './icmp-type.ts';
import { idRange } from './id-range.ts';
import { integer } from './integer.ts';
import { macAddress } from './mac.ts';
import { maskedU32 } from './masked.ts';
import { U64_MAX } from './numbers.ts';
import { conntrackPortRange, portList, portRange } from './port.ts';
import { probability } from './probability.ts';
import { conntrackProtocol } from './protocol.ts';
import { u16Range } from './range.ts';
import { limitRate } from './rate.ts';
import { tcpFlags } from './tcp-flags.ts';
import { text } from './text.ts';
import { wordSet } from './word-set.ts';

/** What a text prints as; undefined if it is refused. */
function printed(
  type: ValueType,
  words: string | readonly string[],
  family: Family = 'ipv4',
  ctx: Partial<ValueContext> = {},
): string | undefined {
  const list = typeof words === 'string' ? [words] : words;
  const result = type.parse(list, { family, option: 'x', ...ctx });
  return result.ok ? type.print(result.value, { family }).join(' ') : undefined;
}

const names = [
  { name: 'any', type: 255 },
  { name: 'echo-reply', type: 0 },
  { name: 'echo-request', type: 8 },
  { name: 'network-unreachable', type: 3, codes: { min: 0, max: 0 } },
];

/** Type, and pairs of text and print; the answers are those of iptables. */
const CASES: readonly (readonly [string, ValueType, Readonly<Record<string, string | undefined>>])[] = [
  [
    'integer',
    integer(0n, 255n),
    {
      '5': '5',
      '010': '8',
      '0x1F': '31',
      ' 5': '5',
      '+5': '5',
      '-5': undefined,
      '08': undefined,
      '0x': undefined,
      '256': undefined,
      '': undefined,
      '5 ': undefined,
    },
  ],
  [
    'u64',
    integer(0n, U64_MAX, { base: 16 }),
    { '18446744073709551615': '0xffffffffffffffff', '18446744073709551616': undefined },
  ],
  [
    'u16Range',
    u16Range,
    {
      '5': '5',
      '5:5': '5',
      '1:2': '1:2',
      ':2': '0:2',
      '4:': '4:65535',
      ':': '0:65535',
      '': '0',
      '0x10:020': '16',
      '4:3': undefined,
      '1:2:3': undefined,
      '0:65536': undefined,
      '1-2': undefined,
    },
  ],
  [
    'portRange',
    portRange('tcp'),
    {
      '80': '80',
      http: '80',
      'http:https': '80:443',
      'domain:': '53:65535',
      ':': '0:65535',
      '010': '8',
      '': undefined,
      tftp: undefined,
      HTTP: undefined,
      '1:2:3': undefined,
      '4:3': undefined,
      '65536': undefined,
    },
  ],
  [
    'conntrackPortRange',
    conntrackPortRange,
    { http: '80', tftp: '69', '010': '10', '0x10': undefined, ':4': '0:4', '70000': undefined },
  ],
  [
    'maskedU32',
    maskedU32,
    {
      '5': '0x5',
      '0x10/0xff': '0x10/0xff',
      '1/0xffffffff': '0x1',
      '0/0': '0x0/0x0',
      '1/': undefined,
      '1/2/3': undefined,
      '4294967296': undefined,
    },
  ],
  [
    'maskedAddress',
    maskedAddress(),
    {
      '10.1.2.3/8': '10.0.0.0/8',
      '10.1.2.3': '10.1.2.3',
      '10.1.2.3/255.0.255.0': '10.0.2.0/255.0.255.0',
      '10.1.2.3/33': undefined,
      x: undefined,
    },
  ],
  [
    'addressRange',
    addressRange,
    {
      '1.1.1.1-1.1.1.9': '1.1.1.1-1.1.1.9',
      '1.1.1': '1.1.1.0-1.1.1.0',
      '1.1.1.9-1.1.1.1': '1.1.1.9-1.1.1.1',
      '1.1.1.1-': undefined,
      '1.1.1.1-1.1.1.2-3': undefined,
    },
  ],
  [
    'macAddress',
    macAddress,
    {
      'aa:bb:cc:DD:ee:FF': 'aa:bb:cc:dd:ee:ff',
      'a:b:c:d:e:f': '0a:0b:0c:0d:0e:0f',
      'aa-bb-cc-dd-ee-ff': undefined,
      'aa:bb:cc:dd:ee:0ff': undefined,
    },
  ],
  [
    'choice',
    choice({ a: 1, b: 2, c: 1 }, { what: 'letter', ignoreCase: true }),
    { A: 'a', c: 'a', b: 'b', d: undefined },
  ],
  [
    'wordSet',
    wordSet(['ONE', 'TWO'], { what: 'word', abbreviations: true }),
    { 'two,one': 'ONE,TWO', 't,T': 'TWO', '': undefined, 'one,': undefined, onetwo: undefined },
  ],
  [
    'limitRate',
    limitRate,
    {
      '5': '5/sec',
      '5/s': '5/sec',
      '5/minute': '5/min',
      '60/min': '1/sec',
      '7/min': '7/min',
      '3000/sec': '3333/sec',
      '1.5/sec': '1/sec',
      '3/hour': '3/hour',
      '1000/day': '1000/day',
      '5/secondx': undefined,
      '0/sec': undefined,
      '10001/sec': undefined,
      '/sec': undefined,
      '5/': undefined,
    },
  ],
  [
    'probability',
    probability,
    {
      '0.5': '0.50000000000',
      '0.1': '0.10000000009',
      '.25': '0.25000000000',
      '1': '1.00000000000',
      '1.1': undefined,
      x: undefined,
    },
  ],
  [
    'conntrackProtocol',
    conntrackProtocol,
    { udp: '17', '0x11': '17', '0': undefined, '256': undefined, foo: undefined },
  ],
  ['idRange', idRange('user'), { root: '0', '5': '5', '5-9': '5-9', nobodyatall: undefined, '1-2-3': undefined }],
  [
    'icmpType',
    icmpType(names),
    {
      any: 'any',
      '255': 'any',
      '255/255': '255/255',
      '8/0': '8/0',
      'echo-req': '8',
      ECHO: undefined,
      'network-unreachable': '3/0',
      '3/1:4': '3/1',
      '256': undefined,
      '3/': undefined,
    },
  ],
  [
    'text',
    text(4),
    { abcd: 'abcd', 'a b': '"a b"', '': '""', 'a"\\': '"a\\"\\\\"', abcde: undefined, éé: '"éé"', ééé: undefined },
  ],
  ['cut text', text(3, { truncate: true }), { abcd: 'abc', aéé: '"aé"' }],
];

describe.each(CASES)('%s', (_name, type, answers) => {
  it.each(Object.entries(answers))('%j is %j', (word, expected) => {
    expect(printed(type, word)).toBe(expected);
  });
});

it('tcpFlags take two lists', () => {
  expect(printed(tcpFlags, ['SYN,ack,SYN', 'syn'])).toBe('SYN,ACK SYN');
  expect(printed(tcpFlags, ['ALL', 'NONE'])).toBe('FIN,SYN,RST,PSH,ACK,URG NONE');
  expect(printed(tcpFlags, ['SYN', 'FOO'])).toBeUndefined();
});

it('portList needs its protocol and fifteen slots', () => {
  const ip = { protocol: { value: 6, invert: false } };
  expect(printed(portList, 'http,22,1:3', 'ipv4', { ip })).toBe('80,22,1:3');
  expect(printed(portList, '80')).toBeUndefined();
  for (const wrong of ['1:', ':5', '1,,2', '1,', '', '3:1', '5:5', Array(16).fill('1').join(',')]) {
    expect(printed(portList, wrong, 'ipv4', { ip })).toBeUndefined();
  }
});

it('addresses follow the family', () => {
  expect(printed(maskedAddress(), 'fe80::1/10', 'ipv6')).toBe('fe80::/10');
  expect(printed(addressRange, '::1-::5', 'ipv6')).toBe('::1-::5');
});
